"""Numbered directories and the names that refer to them, kept by the file system alone.

    ROOT/s/12/            the content of snapshot 12; `parent`, a link whose text is a number;
                          `usage`, likewise "bytes inodes" of a committed one
    ROOT/active/KEY       a link whose text is 12
    ROOT/view/KEY
    ROOT/committed/NAME

The link is the record: made after the directory is complete, renamed to commit, unlinked before
the directory is removed. So a directory in `s` that no name refers to is garbage.
Links of active snapshots are not fsynced (their content is not either); those of committed are.
"""

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

from wherry.kit.errors import Conflict, Corrupt, InvalidInput, NotFound
from wherry.kit.failpoints import reach
from wherry.kit.files import sync_folder
from wherry.linux.tree import Usage, remove_path, usage
from wherry.snapshot.snapshotter import Info, Kind

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,199}")
_KINDS: tuple[Kind, ...] = ("active", "view", "committed")


class Record(NamedTuple):
    """A named snapshot: its directory's number and its parent's."""

    number: int
    parent: int | None
    kind: Kind


class Shelf:
    """The records of one root, which belongs to one process."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._lock = threading.RLock()
        self._records: dict[str, Record] = {}
        self._building: dict[int, int | None] = {}
        for folder in ("s", *_KINDS):
            os.makedirs(f"{root}/{folder}", 0o700, exist_ok=True)
        self._load()

    def _load(self) -> None:
        for kind in _KINDS:
            for key in os.listdir(f"{self._root}/{kind}"):
                number = _number(f"{self._root}/{kind}/{key}")
                self._records[key] = Record(number, self._read_parent(number), kind)
        self._last = max(self._directories(), default=0)

    def _directories(self) -> list[int]:
        """The numbers in `s`; what else lies there is not ours and is left alone."""
        return [int(name) for name in os.listdir(f"{self._root}/s") if name.isdecimal()]

    def _read_parent(self, number: int) -> int | None:
        try:
            return _number(f"{self.folder(number)}/parent")
        except FileNotFoundError:
            return None

    def folder(self, number: int) -> str:
        """The directory of a snapshot."""
        return f"{self._root}/s/{number}"

    def find(self, key: str) -> Record:
        """Raises NotFound."""
        with self._lock:
            record = self._records.get(key)
        if record is None:
            raise NotFound(f"no such snapshot: {key}")
        return record

    def find_parent(self, name: str | None) -> int | None:
        """The number of a committed snapshot. Raises NotFound, Conflict (not committed)."""
        if name is None:
            return None
        record = self.find(name)
        if record.kind != "committed":
            raise Conflict(f"snapshot {name} is {record.kind} and cannot be a parent")
        return record.number

    def chain(self, number: int | None) -> list[int]:
        """The snapshot and all below it, uppermost first."""
        with self._lock:
            parents = {record.number: record.parent for record in self._records.values()}
        numbers: list[int] = []
        while number is not None:
            numbers.append(number)
            number = parents[number]
        return numbers

    def add(self, kind: Kind, key: str, parent: str | None, build: Callable[[str], None]) -> Record:
        """Make a directory, let `build` complete it, give it its name.

        Raises InvalidInput (name), Conflict (taken), NotFound (parent).
        """
        if not _NAME.fullmatch(key):
            raise InvalidInput(f"invalid snapshot key {key!r}")
        with self._lock:
            self._check_free(key)
            record = Record(self._last + 1, self.find_parent(parent), kind)
            self._last = record.number
            self._building[record.number] = record.parent
        try:
            self._build(record, key, build)
        except BaseException:
            remove_path(self.folder(record.number))
            raise
        finally:
            with self._lock:
                del self._building[record.number]
        return record

    def _build(self, record: Record, key: str, build: Callable[[str], None]) -> None:
        folder = self.folder(record.number)
        os.mkdir(folder, 0o700)
        if record.parent is not None:
            os.symlink(str(record.parent), f"{folder}/parent")
        build(folder)
        reach("snapshot.add")
        with self._lock:
            self._check_free(key)
            os.symlink(str(record.number), f"{self._root}/{record.kind}/{key}")
            self._records[key] = record

    def _check_free(self, key: str) -> None:
        if key in self._records:
            raise Conflict(f"snapshot {key} already exists")

    def adopt(self, key: str, parent: str) -> Record:
        """Give an active record without a parent one. Raises NotFound, Conflict."""
        with self._lock:
            record = self.find(key)
            if record.kind != "active" or record.parent is not None:
                raise Conflict(f"snapshot {key} has its place already")
            adopted = record._replace(parent=self.find_parent(parent))
            os.symlink(str(adopted.parent), f"{self.folder(record.number)}/parent")
            self._records[key] = adopted
        return adopted

    def commit(self, name: str, key: str) -> None:
        """Rename an active record to a committed one, durably."""
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"invalid snapshot name {name!r}")
        with self._lock:
            record = self.find(key)
            if record.kind != "active":
                raise Conflict(f"snapshot {key} is {record.kind} and cannot be committed")
            self._check_free(name)
            reach("snapshot.commit")
            os.rename(f"{self._root}/active/{key}", f"{self._root}/committed/{name}")
            del self._records[key]
            self._records[name] = record._replace(kind="committed")
        sync_folder(f"{self._root}/committed")
        sync_folder(f"{self._root}/active")

    def remove(self, key: str) -> None:
        """Unlink the name, then remove the directory. Raises NotFound, Conflict."""
        with self._lock:
            record = self.find(key)
            self._check_childless(key, record.number)
            os.unlink(f"{self._root}/{record.kind}/{key}")
            del self._records[key]
        if record.kind == "committed":
            sync_folder(f"{self._root}/committed")
        reach("snapshot.remove")
        remove_path(self.folder(record.number))

    def _check_childless(self, key: str, number: int) -> None:
        for other, record in self._records.items():
            if record.parent == number:
                raise Conflict(f"snapshot {key} cannot be removed: {other} is based on it")
        if number in self._building.values():
            raise Conflict(f"snapshot {key} cannot be removed: another is just made from it")

    def info(self, key: str) -> Info:
        """Raises NotFound."""
        with self._lock:
            record = self.find(key)
            return Info(key, self._name_of(record.parent), record.kind)

    def _name_of(self, number: int | None) -> str | None:
        if number is None:
            return None
        return next(name for name, record in self._records.items() if record.number == number)

    def walk(self) -> Iterator[Info]:
        """All records at one moment."""
        with self._lock:
            names = {record.number: name for name, record in self._records.items()}
            infos = [
                Info(key, None if record.parent is None else names[record.parent], record.kind)
                for key, record in self._records.items()
            ]
        return iter(infos)

    def usage(self, key: str, tree: str) -> Usage:
        """Measure a snapshot's tree; of a committed one only once (kept as a link's text)."""
        record = self.find(key)
        if record.kind != "committed":
            return usage(tree)
        note = f"{self.folder(record.number)}/usage"
        with contextlib.suppress(FileNotFoundError):
            kept, inodes = os.readlink(note).split()
            return Usage(int(kept), int(inodes))
        measured = usage(tree)
        with contextlib.suppress(FileExistsError):
            os.symlink(f"{measured.bytes} {measured.inodes}", note)
        return measured

    def recover(self) -> int:
        """Remove what crashed work left; the count of directories and names removed."""
        removed = 0
        with self._lock:
            kept = {record.number for record in self._records.values()} | self._building.keys()
            for key, record in list(self._records.items()):
                if not os.path.isdir(self.folder(record.number)):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(f"{self._root}/{record.kind}/{key}")
                    del self._records[key]
                    removed += 1
            stale = [number for number in self._directories() if number not in kept]
        for number in stale:
            remove_path(self.folder(number))
        return removed + len(stale)


def _number(link: str) -> int:
    text = os.readlink(link)
    if not text.isdecimal():
        raise Corrupt(f"{link} should name a snapshot's number and says {text[:80]!r}")
    return int(text)
