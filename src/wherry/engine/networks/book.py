"""All networks of the engine by id, equal to the ledger's documents."""

from collections.abc import Iterable

from wherry.engine.events import Event
from wherry.engine.journal import Journal
from wherry.engine.networks.record import NetworkRecord
from wherry.kit.errors import InvalidInput, NotFound


class NetworkBook:
    """The map in memory; a change is in the ledger before it is here."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._records: dict[str, NetworkRecord] = {}

    def load(self, records: Iterable[NetworkRecord]) -> None:
        """Take over the ledger's networks, or what was just written there."""
        self._records |= {record.network.id: record for record in records}

    async def keep(self, record: NetworkRecord, *events: Event) -> None:
        """Write a network, new or changed."""
        await self._journal.commit([record.put(record.network.id)], *events)
        self._records[record.network.id] = record

    async def forget(self, record: NetworkRecord, *events: Event) -> None:
        """Remove a network."""
        await self._journal.commit([NetworkRecord.drop(record.network.id)], *events)
        self._records.pop(record.network.id, None)

    def all(self) -> list[NetworkRecord]:
        """Every network, by name."""
        return sorted(self._records.values(), key=lambda record: record.network.name)

    def __contains__(self, name: object) -> bool:
        return any(record.network.name == name for record in self._records.values())

    def known(self, id: str) -> NetworkRecord | None:
        """The network of that full id, if it is still there."""
        return self._records.get(id)

    def known_as(self, ref: str) -> NetworkRecord | None:
        """As `find`, None for one that is not there. Raises InvalidInput."""
        try:
            return self.find(ref)
        except NotFound:
            return None

    def find(self, ref: str) -> NetworkRecord:
        """By id, name or unique prefix of an id. Raises NotFound, InvalidInput."""
        if (known := self._records.get(ref)) is not None:
            return known
        for record in self._records.values():
            if ref == record.network.name:
                return record
        found = [record for id, record in self._records.items() if ref and id.startswith(ref)]
        if len(found) > 1:
            raise InvalidInput(
                f"network {ref} is ambiguous ({len(found)} matches found based on ID prefix)"
            )
        if not found:
            raise NotFound(f"network {ref} not found")
        return found[0]

    def subnets(self) -> list[str]:
        """What all of them cover."""
        return [subnet for record in self._records.values() for subnet in record.subnets]
