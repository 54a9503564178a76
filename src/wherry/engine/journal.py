"""The one way to change state: ledger first, then memory, then the listeners."""

from collections.abc import Sequence

import msgspec

from wherry.engine.events import Event, EventBus
from wherry.engine.lanes import Lanes
from wherry.ledger.ledger import Change, Ledger
from wherry.ledger.ledger import Event as LedgerEvent


class Journal:
    """Commits changes with their events and publishes the events afterwards."""

    def __init__(self, ledger: Ledger, lanes: Lanes, bus: EventBus) -> None:
        self._ledger = ledger
        self._lanes = lanes
        self._bus = bus

    async def commit(self, changes: Sequence[Change], *events: Event) -> None:
        """All changes and events, or nothing. Raises what Ledger.commit raises."""
        rows = [LedgerEvent(event.time, msgspec.json.encode(event)) for event in events]
        await self._lanes.ledger(self._ledger.commit, changes, rows)
        self._bus.publish(events)

    def announce(self, *events: Event) -> None:
        """Tell who listens now of what is not worth keeping."""
        self._bus.publish(events)

    async def past(self, since: int, until: int | None = None) -> list[Event]:
        """Events of the past, oldest first; times in ns."""

        def read() -> list[Event]:
            rows = self._ledger.events(since=since, until=until)
            return [msgspec.json.decode(row.body, type=Event) for row in rows]

        return await self._lanes.ledger(read)
