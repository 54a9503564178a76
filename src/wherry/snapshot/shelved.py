"""What all snapshotters do alike, their records being on a shelf."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from wherry.kit.errors import Conflict
from wherry.linux.mount import Mount
from wherry.linux.tree import Usage
from wherry.snapshot.shelf import Record, Shelf
from wherry.snapshot.snapshotter import Info


class Shelved(ABC):
    """The half of a `Snapshotter` that does not ask how trees are stacked."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    @abstractmethod
    def _mounts(self, record: Record) -> tuple[Mount, ...]:
        """How an active snapshot or a view is mounted."""

    def _tree(self, number: int) -> str:
        """The directory that holds a snapshot's own files."""
        return f"{self._shelf.folder(number)}/fs"

    def _mountable(self, key: str) -> Record:
        record = self._shelf.find(key)
        if record.kind == "committed":
            raise Conflict("a committed snapshot is not mounted itself: make a view of it")
        return record

    def view(self, key: str, parent: str) -> tuple[Mount, ...]:
        """No directories of its own."""
        return self._mounts(self._shelf.add("view", key, parent, lambda _folder: None))

    def mounts(self, key: str) -> tuple[Mount, ...]:
        """Raises NotFound, Conflict (committed)."""
        return self._mounts(self._mountable(key))

    def fill(self, key: str) -> str:
        """Its own directory."""
        record = self._shelf.find(key)
        if record.kind != "active":
            raise Conflict(f"snapshot {key} is {record.kind}: nothing can be put into it")
        return self._tree(record.number)

    def stat(self, key: str) -> Info:
        """Raises NotFound."""
        return self._shelf.info(key)

    def usage(self, key: str) -> Usage:
        """Of its own directory."""
        record = self._shelf.find(key)
        if record.kind == "view":
            return Usage(0, 0)
        return self._shelf.usage(key, self._tree(record.number))

    def remove(self, key: str) -> None:
        """Raises NotFound, Conflict."""
        self._shelf.remove(key)

    def walk(self) -> Iterator[Info]:
        """All snapshots."""
        return self._shelf.walk()

    def recover(self) -> int:
        """Remove what a crash left behind; how many things that were."""
        return self._shelf.recover()
