"""A ledger in memory; it passes the same contract suite as the real one."""

from collections.abc import Iterator, Sequence

from wherry.ledger.ledger import AlreadyClaimed, Change, Claim, Drop, Event, StoredEvent


class MemoryLedger:
    """Documents in a dict, events in a list. Leaves out: files, and their failures."""

    def __init__(self) -> None:
        self._documents: dict[tuple[str, str], bytes] = {}
        self._events: list[StoredEvent] = []
        self._next = 1

    def commit(self, changes: Sequence[Change], events: Sequence[Event] = ()) -> tuple[int, ...]:
        """See Ledger.commit."""
        documents = dict(self._documents)
        for change in changes:
            key = (change.kind, change.key)
            if isinstance(change, Drop):
                documents.pop(key, None)
            elif isinstance(change, Claim) and key in documents:
                raise AlreadyClaimed(*key)
            else:
                documents[key] = change.value
        self._documents = documents
        first = self._next
        self._next += len(events)
        self._events += [StoredEvent(first + n, *event) for n, event in enumerate(events)]
        return tuple(range(first, self._next))

    def get(self, kind: str, key: str) -> bytes | None:
        """See Ledger.get."""
        return self._documents.get((kind, key))

    def all(self, kind: str) -> list[tuple[str, bytes]]:
        """See Ledger.all."""
        return sorted((key, value) for (of, key), value in self._documents.items() if of == kind)

    def events(self, *, since: int, until: int | None = None) -> Iterator[StoredEvent]:
        """See Ledger.events."""
        end = float("inf") if until is None else until
        return iter([event for event in self._events if since <= event.time <= end])

    def forget_events(self, *, keep: int) -> int:
        """See Ledger.forget_events."""
        gone = max(0, len(self._events) - keep)
        self._events = self._events[gone:]
        return gone

    def close(self) -> None:
        """See Ledger.close."""
