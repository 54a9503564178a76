"""Whole trees by descriptors: remove, measure. No symbolic link is ever entered, and no mount
unless a caller of `Descent` asks for it.

A walk keeps two descriptors however deep the tree is: it goes back up by `..` and checks that this
is the directory it came from (a tree may be deeper than the limit of open files or PATH_MAX).
"""

import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from wherry.linux.path import RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV, openat2

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_RESOLVE = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS


class Usage(NamedTuple):
    """What a tree takes: allocated bytes, and inodes (hard links counted once)."""

    bytes: int
    inodes: int


class Descent:
    """One open directory that steps down by name and back up; `mounts`: into mounts too.

    Owns the descriptor it is given (`open_directory`, `open_start`).
    """

    __slots__ = ("_above", "_mounts", "fd")

    def __init__(self, fd: int, *, mounts: bool = False) -> None:
        self._mounts = mounts
        self.fd = fd
        self._above: list[tuple[int, int]] = []

    def down(self, name: str) -> None:
        """Enter a directory inside. Raises OSError: EBUSY for a mount point, ELOOP for a link."""
        following = open_directory(self.fd, name, self._mounts)
        status = os.fstat(self.fd)
        self._above.append((status.st_dev, status.st_ino))
        os.close(self.fd)
        self.fd = following

    def up(self) -> None:
        """Back to where `down` came from. Raises OSError (ESTALE) where it was moved meanwhile."""
        above = os.open("..", _DIRECTORY, dir_fd=self.fd)
        os.close(self.fd)
        self.fd = above
        status = os.fstat(above)
        if (status.st_dev, status.st_ino) != self._above.pop():
            raise OSError(errno.ESTALE, "directory was moved during a walk")

    def close(self) -> None:
        """Close the one descriptor."""
        os.close(self.fd)


def open_start(path: str) -> int:
    """A descriptor on a directory of ours, where a walk begins: any path to it is fine."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def open_directory(parent_fd: int, name: str, mounts: bool = False) -> int:
    """A descriptor on a directory that is no link and (unless allowed) no mount point.

    A plain user's own directory without r or x for the owner is made readable for it.
    """
    try:
        return _open_directory(parent_fd, name, mounts)
    except PermissionError:
        _allow_owner(parent_fd, name)
        return _open_directory(parent_fd, name, mounts)


def _open_directory(parent_fd: int, name: str, mounts: bool) -> int:
    if mounts:
        return os.open(name, _DIRECTORY, dir_fd=parent_fd)
    try:
        return openat2(parent_fd, name, _DIRECTORY, 0, _RESOLVE)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise OSError(errno.EBUSY, "a mount point is in the way", name) from error
        if error.errno != errno.ENOSYS:
            raise
    return os.open(name, _DIRECTORY, dir_fd=parent_fd)


def _allow_owner(parent_fd: int, name: str) -> None:
    """Mode 0700 for a directory, not through a link (fchmodat has no such flag)."""
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
    handle = os.open(name, flags, dir_fd=parent_fd)
    try:
        os.chmod(f"/proc/self/fd/{handle}", 0o700)
    finally:
        os.close(handle)


def remove_tree(parent_fd: int, name: str) -> None:
    """Remove a file or a whole directory; nothing happens where it does not exist.

    Raises OSError: EBUSY where a mount point is inside (nothing below it is touched).
    """
    try:
        os.unlink(name, dir_fd=parent_fd)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.EISDIR, errno.EPERM):
            raise
        if not stat.S_ISDIR(os.stat(name, dir_fd=parent_fd, follow_symlinks=False).st_mode):
            raise
    else:
        return
    walk = Descent(open_directory(parent_fd, name))
    try:
        _empty(walk)
    finally:
        walk.close()
    os.rmdir(name, dir_fd=parent_fd)


def remove_path(path: str) -> None:
    """`remove_tree` by a trusted path (the folder it lies in is ours)."""
    folder, _, name = path.rstrip("/").rpartition("/")
    try:
        parent_fd = os.open(folder or "/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        remove_tree(parent_fd, name)
    finally:
        os.close(parent_fd)


def _empty(walk: Descent) -> None:
    pending = _unlink_files(walk.fd)
    above: list[tuple[str, list[str]]] = []
    while pending or above:
        if pending:
            name = pending.pop()
            walk.down(name)
            above.append((name, pending))
            pending = _unlink_files(walk.fd)
        else:
            walk.up()
            name, pending = above.pop()
            os.rmdir(name, dir_fd=walk.fd)


def _unlink_files(directory_fd: int) -> list[str]:
    """Unlink all that is not a directory; the names of the directories."""
    if not os.access(".", os.W_OK | os.X_OK, dir_fd=directory_fd, effective_ids=True):
        os.fchmod(directory_fd, 0o700)  # a plain user's own read-only directory
    folders = []
    with os.scandir(directory_fd) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                os.unlink(entry.name, dir_fd=directory_fd)
    return folders


def directories(path: str) -> Iterator[int]:
    """Each directory of a tree, itself first, as a descriptor that is valid until the next step."""
    walk = Descent(open_start(path))
    try:
        yield walk.fd
        pending = _folders(walk.fd)
        above: list[list[str]] = []
        while pending or above:
            if pending:
                try:
                    walk.down(pending.pop())
                except (FileNotFoundError, NotADirectoryError):
                    continue  # the tree is in use and changes under us
                above.append(pending)
                yield walk.fd
                pending = _folders(walk.fd)
            else:
                walk.up()
                pending = above.pop()
    finally:
        walk.close()


def _folders(directory_fd: int) -> list[str]:
    with os.scandir(directory_fd) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]


def usage(path: str) -> Usage:
    """Measure a tree, the directory itself included."""
    seen: set[tuple[int, int]] = set()
    own = os.stat(path)
    blocks, inodes = own.st_blocks, 1
    for directory in directories(path):
        for status in _statuses(directory):
            if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
            blocks += status.st_blocks
            inodes += 1
    return Usage(blocks * 512, inodes)


def content_size(path: str) -> int:
    """Bytes in a tree's files and links, each file once, whatever they take on the disk."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for directory in directories(path):
        for status in _statuses(directory):
            if stat.S_ISDIR(status.st_mode) or (status.st_dev, status.st_ino) in seen:
                continue
            if status.st_nlink > 1:
                seen.add((status.st_dev, status.st_ino))
            total += status.st_size
    return total


def _statuses(directory_fd: int) -> Iterator[os.stat_result]:
    with os.scandir(directory_fd) as entries:
        for entry in entries:
            try:
                yield entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
