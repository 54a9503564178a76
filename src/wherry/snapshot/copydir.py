"""Snapshots as full copies: for file systems and kernels without overlayfs.

Every snapshot is a whole tree. Extents are shared where the file system can (btrfs, xfs), else a
container costs the space of its image.
"""

import os

from wherry.kit.errors import Unsupported
from wherry.linux.copytree import copy_tree
from wherry.linux.mount import Mount
from wherry.snapshot.shelf import Record, Shelf
from wherry.snapshot.shelved import Shelved
from wherry.snapshot.snapshotter import Difference, Style


class CopyDir(Shelved):
    """One full tree a snapshot, in a root that only this process changes."""

    def __init__(self, root: str) -> None:
        super().__init__(Shelf(os.path.abspath(root)))
        self.recover()

    @property
    def style(self) -> Style:
        """Deleted is deleted."""
        return "copy"

    def prepare(self, key: str, parent: str | None) -> tuple[Mount, ...]:
        """Copy the parent's tree."""
        source = None if parent is None else self._shelf.find_parent(parent)

        def build(folder: str) -> None:
            os.mkdir(f"{folder}/fs", 0o755)
            os.chmod(f"{folder}/fs", 0o755)
            if source is not None:
                _copy(self._tree(source), f"{folder}/fs")

        return self._mounts(self._shelf.add("active", key, parent, build))

    def _mounts(self, record: Record) -> tuple[Mount, ...]:
        if record.kind == "view" and record.parent is not None:
            return (Mount("bind", self._tree(record.parent), ("bind", "ro")),)
        return (Mount("bind", self._tree(record.number), ("bind", "rw")),)

    def adopt(self, key: str, parent: str, *, like_parent: bool) -> None:
        """Raises Unsupported: the tree would have to hold the parent's files."""
        raise Unsupported(
            f"snapshot {key} is a full copy and cannot be put on {parent} ({like_parent=})"
        )

    def commit(self, name: str, key: str) -> None:
        """Give it its name."""
        self._shelf.commit(name, key)

    def difference(self, key: str) -> Difference:
        """Two trees to compare."""
        record = self._shelf.find(key)
        if record.parent is None:
            return Difference(self._tree(record.number), (), "copy")
        lower = self._tree(record.parent)
        upper = lower if record.kind == "view" else self._tree(record.number)
        return Difference(upper, (lower,), "copy")


def _copy(source: str, target: str) -> None:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    source_fd = os.open(source, flags)
    try:
        target_fd = os.open(target, flags)
        try:
            copy_tree(source_fd, target_fd)
        finally:
            os.close(target_fd)
    finally:
        os.close(source_fd)
