"""One cgroup directory, held by a descriptor: make, read, write, enter, remove.

Paths are relative to a hierarchy's mount point, have no `..` and no symbolic link, and never
leave the mount. A descriptor stays good when the directory is renamed.
"""

import contextlib
import errno
import os
import time
from collections.abc import Callable

from wherry.kit.errors import Conflict, InvalidInput
from wherry.linux.libc import is_missing
from wherry.linux.path import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV, openat2

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE = 0o755
_PATIENCE = 2.0  # seconds that removal waits for processes that are on their way out


def checked(path: str) -> str:
    """A path below a hierarchy without leading, trailing or double slashes. Raises InvalidInput."""
    pieces = [piece for piece in path.split("/") if piece not in ("", ".")]
    if ".." in pieces or "\0" in path or "\n" in path:
        raise InvalidInput(f"cgroup path {path!r}: '..' and control characters are not allowed")
    return "/".join(pieces)


class Directory:
    """An open cgroup directory; a context manager that closes it."""

    __slots__ = ("fd", "path")

    def __init__(self, fd: int, path: str) -> None:
        self.fd = fd
        self.path = path

    @classmethod
    def open(cls, mountpoint: str, relative: str) -> "Directory":
        """Open a directory that exists. Raises FileNotFoundError, OSError, InvalidInput."""
        relative = checked(relative)
        path = f"{mountpoint}/{relative}".rstrip("/")
        root = os.open(mountpoint, _FLAGS)
        if not relative:
            return cls(root, path)
        try:
            return cls(_open_below(root, relative), path)
        finally:
            os.close(root)

    def enter(self, name: str) -> "Directory":
        """Open a child."""
        return Directory(os.open(name, _FLAGS, dir_fd=self.fd), f"{self.path}/{name}")

    def read(self, name: str) -> str:
        """A whole control file. Raises FileNotFoundError, also where the cgroup goes meanwhile."""
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.fd)
        try:
            return read_control(descriptor).decode()
        finally:
            os.close(descriptor)

    def write(self, name: str, value: str) -> None:
        """One write(2) into a control file. Raises OSError naming the file and the value."""
        try:
            descriptor = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.fd)
            try:
                os.write(descriptor, value.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            reason = f"write {value!r}: {os.strerror(error.errno or 0)}"
            raise OSError(error.errno, reason, f"{self.path}/{name}") from error

    def has(self, name: str) -> bool:
        """Whether the control file exists."""
        try:
            os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def children(self) -> list[str]:
        """Names of the directories below."""
        with os.scandir(self.fd) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]

    def close(self) -> None:
        """Give the descriptor back; further calls do nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> "Directory":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


Prepare = Callable[[Directory, Directory], None]
"""Called with a parent and a child that was just opened, before anything goes below it."""


def create(mountpoint: str, relative: str, prepare: Prepare | None = None) -> Directory:
    """Open a directory, making what is missing on the way; `prepare` runs for every level.

    Raises OSError, InvalidInput.
    """
    current = Directory.open(mountpoint, "")
    for name in checked(relative).split("/") if relative.strip("/") else ():
        with current:
            child = _make(current, name, prepare)
        current = child
    return current


def _make(parent: Directory, name: str, prepare: Prepare | None) -> Directory:
    with contextlib.suppress(FileExistsError):  # shared parents, and groups that a crash left
        os.mkdir(name, _MODE, dir_fd=parent.fd)
    child = parent.enter(name)
    try:
        if prepare is not None:
            prepare(parent, child)
    except BaseException:
        child.close()
        raise
    return child


def remove(mountpoint: str, relative: str, *, wait: bool = True) -> None:
    """Remove a directory with all below it; nothing to do where it does not exist.

    `wait`s 2 seconds for processes that are exiting: rmdir says EBUSY until they are gone. Raises
    Conflict when processes stay, OSError.
    """
    relative = checked(relative)
    if not relative:
        raise InvalidInput(f"the top of the hierarchy {mountpoint} cannot be removed")
    parent, _, name = relative.rpartition("/")
    try:
        above = Directory.open(mountpoint, parent)
    except FileNotFoundError:
        return
    with above:
        _remove(above, name, time.monotonic() + (_PATIENCE if wait else 0))


def _remove(parent: Directory, name: str, deadline: float) -> None:
    pause = 0.001
    while True:
        try:
            os.rmdir(name, dir_fd=parent.fd)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
                raise
        _remove_below(parent, name, deadline)
        if time.monotonic() > deadline:
            raise Conflict(f"cgroup {parent.path}/{name} is still in use{_occupants(parent, name)}")
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def _remove_below(parent: Directory, name: str, deadline: float) -> None:
    try:
        with parent.enter(name) as directory:
            for child in directory.children():
                _remove(directory, child, deadline)
    except FileNotFoundError:
        return


def _occupants(parent: Directory, name: str) -> str:
    try:
        with parent.enter(name) as directory:
            found = directory.read("cgroup.procs").split()
    except OSError:
        return ""
    return f" by the processes {', '.join(found[:10])}" if found else ""


def processes(directory: Directory, *, below: bool = True) -> list[int]:
    """Process ids in the directory and (`below`) in all under it, as this pid namespace sees them.

    0 stands for processes outside this namespace and is left out. A threaded cgroup (v2) answers
    EOPNOTSUPP for its own list; its processes are in its domain's.
    """
    found: set[int] = set()
    try:
        found.update(int(word) for word in directory.read("cgroup.procs").split())
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.ENODEV, errno.ENOENT):
            raise
    if below:
        for name in directory.children():
            try:
                with directory.enter(name) as child:
                    found.update(processes(child))
            except FileNotFoundError:
                continue
    return sorted(found - {0})


def read_control(descriptor: int) -> bytes:
    """An open control file to its end; kernfs says ENODEV of one whose cgroup was removed."""
    pieces = []
    try:
        while piece := os.read(descriptor, 65536):
            pieces.append(piece)
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise FileNotFoundError(errno.ENOENT, "the cgroup was removed") from error
        raise
    return b"".join(pieces)


def _open_below(root: int, relative: str) -> int:
    resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV
    try:
        return openat2(root, relative, _FLAGS, resolve=resolve)
    except OSError as error:
        if not is_missing(error):
            raise
    current = os.dup(root)
    for name in relative.split("/"):
        try:
            following = os.open(name, _FLAGS, dir_fd=current)
        finally:
            os.close(current)
        current = following
    return current
