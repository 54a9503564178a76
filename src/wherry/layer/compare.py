"""What a snapshot changed: an overlay's upper directory, or one tree beside another.

The upper side may belong to a running container, so it is walked by descriptors; the lower sides
are committed layers that nobody changes, and are looked into by path.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from wherry.layer.whiteout import Style, is_whiteout
from wherry.linux.tree import Descent, open_start

MODIFIED, ADDED, DELETED = 0, 1, 2
_CAPABILITY = "security.capability"


class Found(NamedTuple):
    """One difference; `directory_fd` and `base` are valid until the next one is asked for.

    path: absolute in the root, "/" for the root itself. status: None for what is deleted.
    same: the upper directory has a file whose metadata equals the lower one's.
    """

    path: str
    kind: int
    directory_fd: int
    base: str
    status: os.stat_result | None
    same: bool = False


class _Lower(NamedTuple):
    """What lies below a name: the file that is seen, or all directories that are merged."""

    status: os.stat_result | None
    path: str
    directories: list[str]


class _Frame:
    """A directory on the way down."""

    __slots__ = ("below", "lowers", "names", "path")

    def __init__(self, path: str, names: list[str], lowers: list[str], below: set[str]) -> None:
        self.path = path
        self.names = names
        self.lowers = lowers
        self.below = below


class Comparison:
    """Walks the differences in order of names, each directory before its content."""

    def __init__(self, upper: str, lowers: Sequence[str], style: Style) -> None:
        self._upper = upper
        self._lowers = list(lowers)
        self._layered = style != "copy"
        space = "user" if style == "user" else "trusted"
        self._opaque = f"{space}.overlay.opaque"
        self._whiteout = f"{space}.overlay.whiteout"
        self._frames: list[_Frame] = []
        self._walk: Descent

    def __iter__(self) -> Iterator[Found]:
        self._walk = Descent(open_start(self._upper))
        try:
            status = os.fstat(self._walk.fd)
            lower = os.stat(self._lowers[0]) if self._lowers else None
            if lower is None or differs(status, lower):
                yield Found("/", MODIFIED, self._walk.fd, ".", status)
            self._push("", self._lowers, False)
            while self._frames:
                yield from self._step()
        finally:
            self._walk.close()

    def _push(self, path: str, lowers: list[str], opaque: bool) -> None:
        """Enter the directory that `_walk` is on."""
        names = set(os.listdir(self._walk.fd))
        below: set[str] = set()
        if opaque or not self._layered:
            below = self._merged_names(lowers) - names
        self._frames.append(_Frame(path, sorted(names | below, reverse=True), lowers, below))

    def _step(self) -> Iterator[Found]:
        frame = self._frames[-1]
        if not frame.names:
            self._frames.pop()
            if self._frames:
                self._walk.up()
            return
        name = frame.names.pop()
        path = f"{frame.path}/{name}"
        if name in frame.below:
            yield Found(path, DELETED, self._walk.fd, name, None)
            return
        try:
            status = os.stat(name, dir_fd=self._walk.fd, follow_symlinks=False)
        except FileNotFoundError:
            return  # a running container removed it
        yield from self._compare(frame, name, path, status)

    def _compare(
        self, frame: _Frame, name: str, path: str, status: os.stat_result
    ) -> Iterator[Found]:
        lower = self._look_below(frame.lowers, name)
        fd = self._walk.fd
        if self._layered and is_whiteout(fd, name, status, self._whiteout):
            if lower.status is not None:
                yield Found(path, DELETED, fd, name, None)
            return
        is_folder = stat.S_ISDIR(status.st_mode)
        if lower.status is None:
            yield Found(path, ADDED, fd, name, status)
        elif differs(status, lower.status) or self._capability_differs(name, lower):
            yield Found(path, MODIFIED, fd, name, status)
        elif self._layered and not is_folder:
            yield Found(path, MODIFIED, fd, name, status, True)
        if is_folder:
            self._descend(name, path, lower)

    def _descend(self, name: str, path: str, lower: _Lower) -> None:
        try:
            self._walk.down(name)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            return
        opaque = self._layered and _opaque_value(self._walk.fd, self._opaque) == b"y"
        self._push(path, lower.directories, opaque)

    def _capability_differs(self, name: str, lower: _Lower) -> bool:
        if lower.status is None or not stat.S_ISREG(lower.status.st_mode):
            return False
        own = f"/proc/self/fd/{self._walk.fd}/{name}"
        return _xattr(own, _CAPABILITY) != _xattr(lower.path, _CAPABILITY)

    def _look_below(self, lowers: list[str], name: str) -> _Lower:
        """As overlayfs looks up: the first file, or directories until a file or an opaque one."""
        first: os.stat_result | None = None
        first_path = ""
        directories: list[str] = []
        for lower in lowers:
            path = f"{lower}/{name}"
            try:
                status = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            if self._is_whiteout_path(path, status):
                break
            if first is None:
                first, first_path = status, path
            if not stat.S_ISDIR(status.st_mode):
                break
            directories.append(path)
            if self._layered and _xattr(path, self._opaque) == b"y":
                break
        return _Lower(first, first_path, directories)

    def _merged_names(self, lowers: list[str]) -> set[str]:
        """All names that are seen in merged lower directories."""
        names: set[str] = set()
        hidden: set[str] = set()
        for lower in lowers:
            for name in os.listdir(lower):
                path = f"{lower}/{name}"
                if name in names or name in hidden:
                    continue
                if self._is_whiteout_path(path, os.lstat(path)):
                    hidden.add(name)
                else:
                    names.add(name)
        return names

    def _is_whiteout_path(self, path: str, status: os.stat_result) -> bool:
        if not self._layered:
            return False
        if stat.S_ISCHR(status.st_mode):
            return status.st_rdev == 0
        if not stat.S_ISREG(status.st_mode) or status.st_size:
            return False
        return _xattr(path, self._whiteout) is not None


def differs(status: os.stat_result, lower: os.stat_result) -> bool:
    """Docker's rule: mode, owner, device; for what is no directory also time and size."""
    if (status.st_mode, status.st_uid, status.st_gid, status.st_rdev) != (
        lower.st_mode,
        lower.st_uid,
        lower.st_gid,
        lower.st_rdev,
    ):
        return True
    if stat.S_ISDIR(status.st_mode):
        return False
    return (status.st_mtime_ns, status.st_size) != (lower.st_mtime_ns, lower.st_size)


def _opaque_value(fd: int, name: str) -> bytes | None:
    return _xattr(f"/proc/self/fd/{fd}", name, True)


def _xattr(path: str, name: str, follow: bool = False) -> bytes | None:
    try:
        return os.getxattr(path, name, follow_symlinks=follow)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP, errno.ENOENT, errno.EPERM):
            return None
        raise
