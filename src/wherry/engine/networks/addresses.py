"""Addresses taken and given back, in the same transaction as the container they belong to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple

import msgspec

from wherry.dockerapi.endpoints import EndpointIpamConfig, EndpointSettings
from wherry.engine.networks import places
from wherry.engine.networks.book import NetworkBook
from wherry.engine.networks.record import NetworkRecord
from wherry.engine.records import ContainerRecord, EndpointRecord
from wherry.kit.errors import NotFound, NotPermitted
from wherry.kit.ids import new_id
from wherry.ledger.ledger import Change
from wherry.network import ipam
from wherry.network.ipam import IpamState


class Taken(NamedTuple):
    """The places with their addresses, and what has to be written with them."""

    places: tuple[EndpointRecord, ...]
    changes: tuple[Change, ...]


class Addresses:
    """Who has which address. The body of `taking` and `freeing` commits what it is given."""

    def __init__(self, book: NetworkBook) -> None:
        self._book = book
        self._lock = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def taking(
        self, record: ContainerRecord, wanted: Iterable[EndpointRecord]
    ) -> AsyncIterator[Taken]:
        """Addresses for these places. Raises InvalidInput, AddressTaken, NotFound, Unavailable."""
        async with self._lock:
            changed: list[NetworkRecord] = []
            made: list[EndpointRecord] = []
            for place in wanted:
                network, done = _placed(self._network(place), record, place)
                changed.append(network)
                made.append(done)
            yield Taken(tuple(made), _changes(changed))
            self._book.load(changed)

    @contextlib.asynccontextmanager
    async def freeing(
        self, record: ContainerRecord, left: Iterable[EndpointRecord]
    ) -> AsyncIterator[tuple[Change, ...]]:
        """The changes that give the addresses in these places back."""
        async with self._lock:
            known = (self._book.known(place.network_id) for place in left)
            freed = [_freed(each, record.id) for each in known if each and _holds(each, record.id)]
            yield _changes(freed)
            self._book.load(freed)

    @contextlib.asynccontextmanager
    async def unchanged(self) -> AsyncIterator[None]:
        """Nobody comes or goes meanwhile: networks are made and removed like this."""
        async with self._lock:
            yield

    def _network(self, place: EndpointRecord) -> NetworkRecord:
        found = self._book.known(place.network_id)
        if found is None:
            raise NotFound(f"network {place.network_id} not found")
        return found


def _changes(records: Iterable[NetworkRecord]) -> tuple[Change, ...]:
    return tuple(each.put(each.network.id) for each in records if each.ipam or each.ipam6)


def _holds(kept: NetworkRecord, owner: str) -> bool:
    states = (kept.ipam, kept.ipam6)
    return any(state is not None and ipam.held_by(state, owner) for state in states)


def _freed(kept: NetworkRecord, owner: str) -> NetworkRecord:
    return msgspec.structs.replace(
        kept,
        ipam=ipam.release(kept.ipam, owner) if kept.ipam else None,
        ipam6=ipam.release(kept.ipam6, owner) if kept.ipam6 else None,
    )


def _placed(
    kept: NetworkRecord, record: ContainerRecord, place: EndpointRecord
) -> tuple[NetworkRecord, EndpointRecord]:
    """The network with one more address taken, and the place with it."""
    settings = place.settings or EndpointSettings()
    places.check(kept, settings)
    wanted = settings.ipam_config or EndpointIpamConfig()
    state, address = _reserved(kept.ipam, record.id, wanted.ipv4_address)
    state6, address6 = _reserved(kept.ipam6, record.id, wanted.ipv6_address)
    network = kept.network
    done = msgspec.structs.replace(
        place,
        endpoint_id=new_id(),
        mac=settings.mac_address or (ipam.mac_for(address) if address else ""),
        address=address,
        prefix=_prefix(network.subnet),
        gateway=network.gateway if address else "",
        address6=address6,
        prefix6=_prefix(network.subnet6),
        gateway6=network.gateway6 if address6 else "",
        ports=(),
        named=True,
    )
    return msgspec.structs.replace(kept, ipam=state, ipam6=state6), done


def _reserved(state: IpamState | None, owner: str, wanted: str) -> tuple[IpamState | None, str]:
    if state is None:
        return None, ""
    try:
        return ipam.reserve(state, owner, wanted)
    except ipam.AddressTaken as error:  # dockerd's status
        raise NotPermitted(str(error)) from error


def _prefix(subnet: str) -> int:
    return int(subnet.partition("/")[2] or 0)
