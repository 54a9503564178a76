"""Masked and read-only paths, and the read-only root."""

import os
import stat

from wherry.linux import mount
from wherry.linux.mount import Attributes, Change
from wherry.linux.path import open_in_root

READONLY = Change(Attributes(mount.MOUNT_ATTR_RDONLY))
_SKIPPED = (FileNotFoundError, NotADirectoryError)
_MASK = mount.MOUNT_ATTR_RDONLY | mount.MOUNT_ATTR_NOSUID | mount.MOUNT_ATTR_NOEXEC


def mask_paths(root_fd: int, paths: tuple[str, ...], null_fd: int) -> None:
    """Cover files with the host's null device and directories with one empty tmpfs.

    What does not exist is left out. Raises OSError naming the path.
    """
    empty = _EmptyDirectory()
    try:
        for path in paths:
            try:
                target = open_in_root(root_fd, path, os.O_PATH)
            except _SKIPPED:
                continue
            try:
                if stat.S_ISDIR(os.fstat(target).st_mode):
                    empty.cover(target)
                else:
                    _cover(target, null_fd)
            except OSError as error:
                raise OSError(error.errno, f"mask: {error.strerror}", path) from error
            finally:
                os.close(target)
    finally:
        empty.close()


def _cover(target: int, cover: int) -> None:
    copy = mount.clone_tree(cover, "", recursive=False)
    try:
        mount.move_mount(copy, "", target, "")
    finally:
        os.close(copy)


class _EmptyDirectory:
    """One read-only tmpfs for all masked directories.

    The first is covered by the mount itself, further ones by copies: before kernel 6.15 only an
    attached mount can be copied.
    """

    __slots__ = ("_tree",)

    def __init__(self) -> None:
        self._tree: int | None = None

    def cover(self, target: int) -> None:
        """Put it on the directory."""
        if self._tree is not None:
            _cover(target, self._tree)
            return
        self._tree = mount.create("tmpfs", "tmpfs", ("nr_inodes=1",), _MASK)
        mount.move_mount(self._tree, "", target, "")

    def close(self) -> None:
        """Let go of the descriptor."""
        if self._tree is not None:
            os.close(self._tree)


def make_paths_readonly(root_fd: int, paths: tuple[str, ...]) -> None:
    """Bind each path onto itself read-only; what does not exist is left out."""
    for path in paths:
        try:
            target = open_in_root(root_fd, path, os.O_PATH)
        except _SKIPPED:
            continue
        try:
            copy = mount.clone_tree(target, "", recursive=True)
            try:
                mount.move_changed(copy, target, (READONLY,))
            finally:
                os.close(copy)
        except OSError as error:
            raise OSError(error.errno, f"make read-only: {error.strerror}", path) from error
        finally:
            os.close(target)
