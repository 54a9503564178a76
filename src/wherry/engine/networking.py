"""The engine's networks: what they are, who is in them, and the drivers that do the work.

Networks and the addresses given out are in the ledger; a container's endpoints are in its own
record. The bridge is made when the first container needs it.
"""

import asyncio
from ipaddress import IPv4Address

import msgspec

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.endpoints import EndpointSettings
from wherry.dockerapi.host_config import HostConfig
from wherry.dockerapi.ports import parse_port
from wherry.engine.journal import Journal
from wherry.engine.records import ContainerRecord, EndpointRecord, PortMapping, Record
from wherry.engine.wiring import Wired
from wherry.kit import clock
from wherry.kit.errors import InvalidInput, NotFound, Unsupported
from wherry.kit.ids import new_id
from wherry.network import ipam
from wherry.network.driver import Endpoint, Network, NetworkDriver, Sandbox
from wherry.network.ipam import IpamState
from wherry.network.ports import PortBinding, PublishedPort


class NetworkRecord(Record, frozen=True):
    """One network; the key is its id."""

    network: Network
    created: int
    ipam: IpamState | None = None


class Networking:
    """All networks of the engine."""

    def __init__(self, journal: Journal, wired: Wired) -> None:
        self._journal = journal
        self._wired = wired
        self._records: dict[str, NetworkRecord] = {}
        self._ready: set[str] = set()
        self._lock = asyncio.Lock()

    async def load(self, records: list[NetworkRecord], bridge: str, subnet: str) -> None:
        """Take over the ledger's networks; the built-in ones are made where they are missing."""
        self._records = {record.network.id: record for record in records}
        names = {record.network.name for record in records}
        if {"bridge", "host", "none"} <= names:
            return
        for network in builtin_networks(bridge, subnet or free_subnet()):
            if network.name not in names:
                state = ipam.new_state(network.subnet, network.gateway) if network.subnet else None
                await self._keep(NetworkRecord(network, clock.now(), state))

    async def _keep(self, record: NetworkRecord) -> None:
        await self._journal.commit([record.put(record.network.id)])
        self._records[record.network.id] = record

    def all(self) -> list[NetworkRecord]:
        """Every network, by name."""
        return sorted(self._records.values(), key=lambda record: record.network.name)

    def find(self, ref: str) -> NetworkRecord:
        """By name, id or unique prefix of one. Raises NotFound, InvalidInput."""
        for record in self._records.values():
            if ref in (record.network.name, record.network.id):
                return record
        found = [record for id, record in self._records.items() if ref and id.startswith(ref)]
        if len(found) > 1:
            raise InvalidInput(
                f"network {ref} is ambiguous ({len(found)} matches found based on ID prefix)"
            )
        if not found:
            raise NotFound(f"network {ref} not found")
        return found[0]

    def planned(self, request: ContainerCreateRequest) -> tuple[EndpointRecord, ...]:
        """The endpoints of a new container, still without addresses. Raises NotFound."""
        name = network_name(request.host_config)
        wanted = dict(request.networking_config.endpoints_config or {})
        if set(wanted) - {name, "default"}:
            raise Unsupported("more than one network for a container is not offered yet")
        record = self.find(name)
        if request.network_disabled and record.network.driver == "bridge":
            record = self.find("none")
        return (EndpointRecord(record.network.name, record.network.id),)

    async def reserve(self, record: ContainerRecord) -> tuple[EndpointRecord, ...]:
        """The endpoints with addresses, kept in the ledger until `release`."""
        async with self._lock:
            return tuple([await self._reserved(record, place) for place in record.endpoints])

    async def _reserved(self, record: ContainerRecord, place: EndpointRecord) -> EndpointRecord:
        kept = self.find(place.network_id)
        network = kept.network
        if kept.ipam is None:
            return msgspec.structs.replace(place, endpoint_id=new_id())
        settings = asked_settings(record, place)
        wanted = settings.ipam_config.ipv4_address if settings.ipam_config else ""
        if wanted:
            raise InvalidInput(
                "user specified IP address is supported on user defined networks only"
            )
        state, address = ipam.reserve(kept.ipam, record.id)
        if state != kept.ipam:
            await self._keep(msgspec.structs.replace(kept, ipam=state))
        return EndpointRecord(
            network=network.name,
            network_id=network.id,
            endpoint_id=new_id(),
            mac=settings.mac_address or record.request.mac_address or ipam.mac_for(address),
            address=address,
            prefix=int(network.subnet.partition("/")[2]),
            gateway=network.gateway,
        )

    async def join(
        self, record: ContainerRecord, places: tuple[EndpointRecord, ...], sandbox: Sandbox
    ) -> tuple[EndpointRecord, ...]:
        """Connect the namespace; the endpoints with the ports they got. Raises Conflict."""
        joined = []
        for place in places:
            network = self.find(place.network_id).network
            driver = await self._prepared(network)
            endpoint = self._endpoint(record, place)
            result = await driver.join(network, endpoint, sandbox)
            ports = tuple(_mapping(port) for port in result.ports)
            joined.append(msgspec.structs.replace(place, ports=ports))
        return tuple(joined)

    def _driver(self, network: Network) -> NetworkDriver:
        if network.driver == "bridge":
            return self._wired.bridge.driver()
        return self._wired.drivers[network.driver]

    async def _prepared(self, network: Network) -> NetworkDriver:
        """The driver, after the network was made if it was not."""
        async with self._lock:
            driver = self._driver(network)
            if network.id not in self._ready:
                await driver.create(network)
                self._ready.add(network.id)
            return driver

    def _bridges(self) -> list[Network]:
        return [each.network for each in self.all() if each.network.driver == "bridge"]

    async def restore(self, used: set[str]) -> None:
        """After a restart of the daemon: networks in use are there already, and stay so."""
        bridges = [network for network in self._bridges() if network.id in used]
        if bridges:
            await self._wired.bridge.driver().restore(bridges)
            self._ready |= {network.id for network in bridges}

    async def close(self, *, keep: bool) -> None:
        """With running containers everything stays; else bridges, rules and process go."""
        await self._wired.bridge.close(self._bridges(), keep=keep)

    def _endpoint(self, record: ContainerRecord, place: EndpointRecord) -> Endpoint:
        return Endpoint(
            id=place.endpoint_id,
            container=record.name,
            generation=record.restart_count,
            address=place.address,
            mac=place.mac,
            ports=bindings(record.request),
        )

    async def leave(self, record: ContainerRecord) -> tuple[EndpointRecord, ...]:
        """Disconnect and give the addresses back; the endpoints as they are then."""
        for place in record.endpoints:
            if place.endpoint_id:
                network = self.find(place.network_id).network
                await self._driver(network).leave(network, self._endpoint(record, place))
        return await self.release(record)

    async def release(self, record: ContainerRecord) -> tuple[EndpointRecord, ...]:
        """Give the addresses back."""
        async with self._lock:
            for place in record.endpoints:
                kept = self.find(place.network_id)
                if kept.ipam is not None and ipam.held_by(kept.ipam, record.id):
                    state = ipam.release(kept.ipam, record.id)
                    await self._keep(msgspec.structs.replace(kept, ipam=state))
        return tuple(EndpointRecord(place.network, place.network_id) for place in record.endpoints)


def builtin_networks(bridge: str, subnet: str) -> list[Network]:
    """The three that every engine has."""
    networks = [
        Network(new_id(), "host", driver="host"),
        Network(new_id(), "none", driver="null"),
    ]
    if bridge:
        gateway = ipam.new_state(subnet).gateway
        networks.append(Network(new_id(), "bridge", "bridge", bridge, subnet, gateway))
    return networks


def free_subnet() -> str:
    """The first of Docker's pools that no route of this host's overlaps. Raises Unavailable."""
    with open("/proc/net/route", encoding="ascii") as file:
        return str(ipam.choose_pool(routes_in(file.read())))


def routes_in(text: str) -> list[str]:
    """The destinations in /proc/net/route, which has them in little-endian hex; no default."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(fields[n])[::-1]) for n in (1, 7))
        if mask:
            found.append(f"{IPv4Address(address)}/{mask.bit_count()}")
    return found


def network_name(host: HostConfig) -> str:
    """The network that a mode names; `default` is the bridge."""
    return "bridge" if host.network_mode in ("", "default") else host.network_mode


def asked_settings(record: ContainerRecord, place: EndpointRecord) -> EndpointSettings:
    """What the client asked for in one network."""
    asked = record.request.networking_config.endpoints_config or {}
    return asked.get(place.network) or asked.get("default") or EndpointSettings()


def bindings(request: ContainerCreateRequest) -> tuple[PortBinding, ...]:
    """Published ports of a request; with -P every exposed one on a free port of the host."""
    host = request.host_config
    found = []
    for key, wanted in (host.port_bindings or {}).items():
        port = parse_port(key)
        found += [
            PortBinding(port.protocol, port.number, each.host_ip, *_host_range(each.host_port))
            for each in wanted or []
        ]
    if host.publish_all_ports:
        known = {(each.container_port, each.protocol) for each in found}
        for key in request.exposed_ports or {}:
            port = parse_port(key)
            if (port.number, port.protocol) not in known:
                found.append(PortBinding(port.protocol, port.number))
    return tuple(found)


def _host_range(text: str) -> tuple[int, int]:
    """A host port or range, zeros for any. Raises InvalidInput."""
    first, dash, last = text.partition("-")
    if not text:
        return (0, 0)
    if not first.isdigit() or (dash and not last.isdigit()) or int(last or first) > 65535:
        raise InvalidInput(f"invalid hostPort: {text}")
    return (int(first), int(last or first))


def _mapping(port: PublishedPort) -> PortMapping:
    return PortMapping(port.container_port, port.protocol, port.host_ip, port.host_port)
