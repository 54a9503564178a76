"""Deleted files in layers, in the three forms of the snapshotters.

Sources: image-spec, layer.md, "Whiteouts"; kernel, Documentation/filesystems/overlayfs.rst,
"whiteouts and opaque directories" and "User xattr". A whiteout in a layer speaks of the layers
below only: what the same layer brings stays, whatever the order of its members.
"""

import errno
import os
import stat
from typing import Final, Literal, Protocol

from wherry.layer.errors import BrokenArchive
from wherry.linux.tree import remove_tree

Style = Literal["trusted", "user", "copy"]
"""`trusted` and `user`: overlayfs with xattrs of that name space; `copy`: a plain full tree."""

PREFIX: Final = ".wh."
OPAQUE: Final = ".wh..wh..opq"
_AUFS: Final = ".wh..wh."
WHITEOUT_DEVICE: Final = os.makedev(0, 0)


class Whiteouts(Protocol):
    """What a style does with a whiteout in the directory `fd` (whose path is `directory`)."""

    def hide(self, fd: int, name: str, directory: str, /) -> None:
        """What lower layers have under the name is gone."""
        ...

    def hide_all(self, fd: int, directory: str, /) -> None:
        """What lower layers have in the directory is gone."""
        ...

    def keep(self, path: str, /) -> None:
        """The present layer brought this path."""
        ...

    def replaced(self, fd: int, name: str, /) -> bool:
        """Make way for a directory where a whiteout is; whether there was one."""
        ...

    def dressed(self, fd: int, /) -> None:
        """A directory was made where a whiteout had been: it must hide the one below."""
        ...


def handle(style: Whiteouts, fd: int, base: str, directory: str) -> bool:
    """Apply the member if its name is a whiteout's; whether it was. Raises BrokenArchive."""
    if not base.startswith(PREFIX):
        return False
    if base == OPAQUE:
        style.hide_all(fd, directory)
    elif not base.startswith(_AUFS):  # other names are aufs's own bookkeeping
        name = base[len(PREFIX) :]
        if name in ("", ".", ".."):
            raise BrokenArchive(f"whiteout {base!r} in {directory!r} names no file")
        style.hide(fd, name, directory)
    return True


class Overlay:
    """Character device 0/0 and an xattr, as the kernel reads them."""

    def __init__(self, space: Literal["trusted", "user"]) -> None:
        self._opaque = f"{space}.overlay.opaque"
        self._whiteout = f"{space}.overlay.whiteout"
        self._with_nodes = True

    def hide(self, fd: int, name: str, _directory: str) -> None:
        """A whiteout, or an opaque directory where this layer has one of the name."""
        status = _status(fd, name)
        if status is None:
            self._make(fd, name)
        elif stat.S_ISDIR(status.st_mode):
            os.setxattr(_path(fd, name), self._opaque, b"y", follow_symlinks=False)

    def hide_all(self, fd: int, _directory: str) -> None:
        """Mark the directory opaque."""
        os.setxattr(_path(fd, ""), self._opaque, b"y")

    def keep(self, path: str) -> None:
        """The upper directory has nothing but what the layer brought."""

    def replaced(self, fd: int, name: str) -> bool:
        """Unlink the whiteout of the name."""
        status = _status(fd, name)
        if status is None or not self._is_whiteout(fd, name, status):
            return False
        os.unlink(name, dir_fd=fd)
        return True

    def dressed(self, fd: int) -> None:
        """Mark the new directory opaque."""
        os.setxattr(_path(fd, ""), self._opaque, b"y")

    def _make(self, fd: int, name: str) -> None:
        if self._with_nodes:
            try:
                os.mknod(name, stat.S_IFCHR, WHITEOUT_DEVICE, dir_fd=fd)
            except PermissionError:  # before kernel 5.8 only with CAP_MKNOD
                self._with_nodes = False
            else:
                return
        # Kernel 6.7: an empty file with the xattr in a directory marked "x".
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o600, dir_fd=fd)
        try:
            os.setxattr(descriptor, self._whiteout, b"y")
        finally:
            os.close(descriptor)
        if _xattr(_path(fd, ""), self._opaque) is None:
            os.setxattr(_path(fd, ""), self._opaque, b"x")

    def _is_whiteout(self, fd: int, name: str, status: os.stat_result) -> bool:
        return is_whiteout(fd, name, status, self._whiteout)


class Copy:
    """A full tree: what is hidden is deleted, unless this layer brought it."""

    def __init__(self) -> None:
        self._kept: set[str] = set()

    def hide(self, fd: int, name: str, directory: str) -> None:
        """Delete the file or tree."""
        path = f"{directory}/{name}" if directory else name
        if path not in self._kept:
            remove_tree(fd, name)
            return
        status = _status(fd, name)
        if status is not None and stat.S_ISDIR(status.st_mode):
            self._hide_below(fd, name, path)

    def hide_all(self, fd: int, directory: str) -> None:
        """Delete what lies in the directory from lower layers, at any depth."""
        reading = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
        try:
            for name in os.listdir(reading):
                self.hide(reading, name, directory)
        finally:
            os.close(reading)

    def _hide_below(self, fd: int, name: str, path: str) -> None:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        inner = os.open(name, flags, dir_fd=fd)
        try:
            self.hide_all(inner, path)
        finally:
            os.close(inner)

    def keep(self, path: str) -> None:
        """Remember the path and the directories above it."""
        while path and path not in self._kept:
            self._kept.add(path)
            path = path.rpartition("/")[0]

    def replaced(self, _fd: int, _name: str) -> bool:
        """There are no whiteouts to make way for."""
        return False

    def dressed(self, fd: int) -> None:
        """There are no whiteouts to stand for."""


def style(name: Style) -> Whiteouts:
    """The form of whiteouts for a snapshotter's style."""
    if name == "copy":
        return Copy()
    return Overlay(name)


def is_whiteout(fd: int, name: str, status: os.stat_result, xattr: str) -> bool:
    """Whether an upper directory's file is a whiteout, of either of the kernel's forms."""
    if stat.S_ISCHR(status.st_mode):
        return status.st_rdev == WHITEOUT_DEVICE
    if not stat.S_ISREG(status.st_mode) or status.st_size:
        return False
    return _xattr(_path(fd, name), xattr) is not None


def _status(fd: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _path(fd: int, name: str) -> str:
    """A path for calls that take no directory descriptor; the magic link is our own."""
    return f"/proc/self/fd/{fd}/{name}" if name else f"/proc/self/fd/{fd}"


def _xattr(path: str, name: str) -> bytes | None:
    try:
        return os.getxattr(path, name, follow_symlinks=path.count("/") == 4)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP, errno.ENOENT):
            return None
        raise
