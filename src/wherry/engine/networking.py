"""The engine's networks at work: containers' namespaces joined to them and taken out again.

Networks and the addresses given out are in the ledger; a container's places in them are in its own
record. A bridge is made when its network is, and after a restart when the first container needs
it.
"""

import asyncio
from collections.abc import Iterable

import msgspec

from wherry.engine.journal import Journal
from wherry.engine.networks import pools, publishing
from wherry.engine.networks.addresses import Addresses
from wherry.engine.networks.book import NetworkBook
from wherry.engine.networks.names import Names
from wherry.engine.networks.record import NetworkRecord, builtin_networks
from wherry.engine.records import ContainerRecord, EndpointRecord
from wherry.engine.wiring import Wired
from wherry.kit import clock
from wherry.network import ipam
from wherry.network.driver import Endpoint, Network, NetworkDriver, Sandbox
from wherry.network.egress.policy import rules_of

LINKED = ("bridge", "macvlan", "ipvlan")
"""Drivers that make links of the host's side."""


class Networking:
    """All networks of the engine."""

    def __init__(self, journal: Journal, wired: Wired) -> None:
        self.book = NetworkBook(journal)
        self.addresses = Addresses(self.book)
        self.names = Names(self.book, wired.bridge.publisher)
        self._wired = wired
        self._ready: set[str] = set()
        self._preparing = asyncio.Lock()

    async def load(self, records: list[NetworkRecord], bridge: str, subnet: str) -> None:
        """Take over the ledger's networks; the built-in ones are made where they are missing."""
        self.book.load(records)
        if all(name in self.book for name in ("bridge", "host", "none")):
            return
        for network in builtin_networks(bridge, subnet or pools.free_subnet(self.book.subnets())):
            if network.name not in self.book:
                state = ipam.new_state(network.subnet, network.gateway) if network.subnet else None
                await self.book.keep(NetworkRecord(network, clock.now(), state))

    def driver(self, network: Network) -> NetworkDriver:
        """The driver of a network. Raises KeyError for none of ours."""
        if network.driver == "bridge":
            return self._wired.bridge.driver()
        if network.driver in ("macvlan", "ipvlan"):
            return self._wired.bridge.parents()
        return self._wired.drivers[network.driver]

    async def prepare(self, network: Network) -> NetworkDriver:
        """The driver, after the network was made if it was not. Raises Conflict, OSError."""
        async with self._preparing:
            driver = self.driver(network)
            if network.id not in self._ready:
                await driver.create(network)
                self._ready.add(network.id)
            return driver

    async def dismantle(self, network: Network) -> None:
        """What `prepare` made, gone. May be repeated."""
        async with self._preparing:
            self._ready.discard(network.id)
            await self.driver(network).remove(network)

    async def join(
        self, record: ContainerRecord, wanted: Iterable[EndpointRecord], sandbox: Sandbox
    ) -> tuple[EndpointRecord, ...]:
        """Connect the namespace; the places with the ports they got. Raises Conflict."""
        joined = []
        for place in wanted:
            network = self.book.find(place.network_id).network
            driver = await self.prepare(network)
            result = await driver.join(network, endpoint(record, place), sandbox)
            ports = tuple(publishing.mapping(port) for port in result.ports)
            joined.append(msgspec.structs.replace(place, ports=ports))
        return tuple(joined)

    async def leave(
        self,
        record: ContainerRecord,
        left: Iterable[EndpointRecord],
        sandbox: Sandbox | None = None,
    ) -> None:
        """Disconnect; with a sandbox from a container that lives on. May be repeated."""
        for place in left:
            kept = self.book.known(place.network_id)
            if place.endpoint_id and kept is not None:
                driver = self.driver(kept.network)
                await driver.leave(kept.network, endpoint(record, place), sandbox)

    async def restore(self, running: Iterable[ContainerRecord]) -> None:
        """After a restart of the daemon: networks in use are there already, and stay so."""
        places = [(record, place) for record in running for place in record.endpoints]
        used = {place.network_id for _, place in places}
        bridges = {network.id: network for network in self._bridges() if network.id in used}
        if bridges:
            endpoints = [as_held(*pair) for pair in places if pair[1].network_id in bridges]
            await self._wired.bridge.driver().restore(bridges.values(), endpoints)
            self._ready |= bridges.keys()

    async def close(self, *, keep: bool) -> None:
        """With running containers everything stays; else bridges, rules and process go."""
        made = [each.network for each in self.book.all() if each.network.driver in LINKED]
        await self._wired.bridge.close(made, keep=keep)

    def _bridges(self) -> list[Network]:
        return [each.network for each in self.book.all() if each.network.driver == "bridge"]


def as_held(record: ContainerRecord, place: EndpointRecord) -> Endpoint:
    """The place of a running container, with the very ports it has."""
    ports = tuple(publishing.held(port) for port in place.ports)
    return msgspec.structs.replace(endpoint(record, place), ports=ports)


def endpoint(record: ContainerRecord, place: EndpointRecord) -> Endpoint:
    """A place as a driver sees it; ports belong to the place that leads out."""
    return Endpoint(
        id=place.endpoint_id,
        container=record.name,
        generation=record.restart_count,
        address=place.address,
        mac=place.mac,
        interface=place.interface,
        default_route=place.default_route,
        address6=place.address6,
        default_route6=place.default_route6,
        ports=publishing.bindings(record.request) if place.default_route else (),
        container_id=record.id,
        egress=rules_of(record.request.labels),
    )
