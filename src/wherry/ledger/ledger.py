"""The interface of the ledger: documents by kind and key, events by number.

A commit is all or nothing. `Claim` is how names stay unique: of two commits that claim the same
key exactly one succeeds, whatever crashes in between.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from wherry.kit.errors import Conflict


class Put(NamedTuple):
    """Write a document, new or not."""

    kind: str
    key: str
    value: bytes


class Claim(NamedTuple):
    """Write a document that must not exist yet."""

    kind: str
    key: str
    value: bytes


class Drop(NamedTuple):
    """Remove a document; one that does not exist is fine."""

    kind: str
    key: str


Change = Put | Claim | Drop


class Event(NamedTuple):
    """What happened: `time` in nanoseconds since the epoch, `body` the event as JSON."""

    time: int
    body: bytes


class StoredEvent(NamedTuple):
    """An event with its place in the order of all events."""

    number: int
    time: int
    body: bytes


class AlreadyClaimed(Conflict):
    """The key of a Claim exists."""

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"{kind} {key!r} exists already")
        self.kind = kind
        self.key = key


class Ledger(Protocol):
    """Blocking; called from one thread."""

    def commit(self, changes: Sequence[Change], events: Sequence[Event] = ()) -> tuple[int, ...]:
        """Apply all changes and append the events, or nothing.

        Returns the numbers of the events. Raises AlreadyClaimed, Unavailable (disk full).
        """

    def get(self, kind: str, key: str) -> bytes | None:
        """One document, or None."""

    def all(self, kind: str) -> list[tuple[str, bytes]]:
        """All documents of a kind with their keys, by key."""

    def events(self, *, since: int, until: int | None = None) -> Iterator[StoredEvent]:
        """Events with since ≤ time ≤ until (nanoseconds), oldest first, read in pages."""

    def forget_events(self, *, keep: int) -> int:
        """Remove all but the newest `keep` events; returns how many went."""

    def close(self) -> None:
        """Flush and release the file."""
