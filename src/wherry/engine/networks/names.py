"""Who is called what in user-defined networks, told to the name server inside the containers."""

from collections.abc import Iterable

from wherry.engine.networks import places
from wherry.engine.networks.book import NetworkBook
from wherry.engine.records import ContainerRecord, EndpointRecord
from wherry.kit.files import read_optional
from wherry.network import resolv
from wherry.network.driver import NameServer, Sandbox
from wherry.network.egress.policy import rules_of
from wherry.network.names import NamedEndpoint, Resolving


class Names:
    """The tables of all networks; the default bridge has none, as with Docker."""

    def __init__(self, book: NetworkBook, server: NameServer) -> None:
        self._book, self._server = book, server
        self._tables: dict[str, dict[str, NamedEndpoint]] = {}

    def remember(self, records: Iterable[ContainerRecord]) -> None:
        """After a restart of the daemon: whom the name server knows already.

        Each network is told as a whole, so the first container that is found again must not be
        told as the only one.
        """
        for record in records:
            for place in self.resolved(record.endpoints):
                if place.endpoint_id:
                    table = self._tables.setdefault(place.network_id, {})
                    table[record.id] = _named(record, place)

    async def joined(
        self, record: ContainerRecord, joined: Iterable[EndpointRecord], sandbox: Sandbox
    ) -> None:
        """A container is in these networks, all it has: others find it, and it finds others."""
        everywhere = list(joined)
        for place in self.resolved(everywhere):
            await self._tell(place.network_id, record.id, _named(record, place))
        if self.serves(record, everywhere):
            await self._server.serve(self._resolving(record, everywhere), sandbox)
        else:
            await self._server.stop(record.id)

    async def renamed(self, record: ContainerRecord) -> None:
        """It is called something else in all its networks."""
        for place in self.resolved(record.endpoints):
            if place.endpoint_id:
                await self._tell(place.network_id, record.id, _named(record, place))

    async def left(self, record: ContainerRecord, left: Iterable[EndpointRecord]) -> None:
        """A container is in these networks no longer."""
        for place in left:
            if record.id in self._tables.get(place.network_id, {}):
                await self._tell(place.network_id, record.id, None)

    async def stopped(self, record: ContainerRecord) -> None:
        """A container has ended: nobody finds it, and nothing answers in it."""
        await self.left(record, record.endpoints)
        if self.serves(record, record.endpoints):
            await self._server.stop(record.id)

    def serves(self, record: ContainerRecord, given: Iterable[EndpointRecord]) -> bool:
        """Whether a container in these places asks us: for names, or because of egress rules."""
        return bool(self.resolved(given) or rules_of(record.request.labels))

    def resolved(self, given: Iterable[EndpointRecord]) -> list[EndpointRecord]:
        """Those of the places that are in networks with names."""
        known = ((place, self._book.known(place.network_id)) for place in given)
        return [place for place, network in known if network and network.user_defined]

    async def _tell(self, network: str, container: str, named: NamedEndpoint | None) -> None:
        table = self._tables.setdefault(network, {})
        if named is None:
            table.pop(container, None)
        else:
            table[container] = named
        await self._server.names(network, tuple(table.values()))
        if not table:
            self._tables.pop(network, None)

    def _resolving(self, record: ContainerRecord, everywhere: list[EndpointRecord]) -> Resolving:
        host = record.request.host_config
        listed = self.resolved(everywhere)
        networks = [self._book.find(place.network_id).network for place in listed]
        joined = (self._book.find(place.network_id).network for place in everywhere)
        leads_out = not all(network.internal for network in joined)
        return Resolving(
            container_id=record.id,
            networks=tuple((network.id, network.name) for network in networks),
            links=tuple(link for place in listed for link in places.links(place)),
            nameservers=resolv.forwarding_servers(_host_file(), host.dns or ())
            if leads_out
            else (),
            search=tuple(host.dns_search or ()),
            options=tuple(host.dns_options or ()),
        )


def _named(record: ContainerRecord, place: EndpointRecord) -> NamedEndpoint:
    addresses = tuple(each for each in (place.address, place.address6) if each)
    names = places.dns_names(record, place)
    return NamedEndpoint(place.endpoint_id, record.id, names, addresses)


def _host_file() -> str:
    systemd = read_optional(resolv.SYSTEMD_RESOLV_CONF)
    primary = (read_optional(resolv.RESOLV_CONF) or b"").decode(errors="replace")
    return resolv.host_resolv_conf(primary, systemd.decode(errors="replace") if systemd else None)
