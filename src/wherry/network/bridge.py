"""The bridge driver: a bridge a network, a veth pair a container, NAT and published ports.

It works through netlink sockets that were opened in the bridges' namespace (the host's for root,
the engine's own for a plain user) and in the container's, so the daemon enters no namespace and
starts no process.
"""

# ruff: noqa: ARG002 - the protocol names the parameters
import asyncio
import errno
from collections.abc import Iterable
from ipaddress import IPv4Network

from wherry.kit.errors import Conflict, InvalidInput, WherryError
from wherry.linux import rtnetlink
from wherry.linux.netlink import NetlinkSocket
from wherry.linux.rtnetlink import Link, VethEnd
from wherry.network import ipam
from wherry.network.driver import Endpoint, Interface, Joined, Network, PortPublisher, Sandbox
from wherry.network.filter_table import FilterTable
from wherry.network.firewall import Bridge, Translation
from wherry.network.ports import PortBinding, PublishedPort
from wherry.network.sockets import BridgeSockets, container_route
from wherry.network.sysctl import enable_forwarding

DEFAULT_BRIDGE = "wherry0"
_NAME_LIMIT = 15
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def host_link_name(endpoint: str, generation: int) -> str:
    """The host's end of a container's veth: endpoint and start, within IFNAMSIZ (15)."""
    suffix, number = "", generation % 36**3
    for _ in range(3):
        number, digit = divmod(number, 36)
        suffix = _DIGITS[digit] + suffix
    return f"wv{endpoint[:9]}{suffix}"


class BridgeDriver:
    """Networks of driver `bridge` of one engine.

    The sockets act on the bridges' namespace. `kernel_ports`: DNAT carries published
    ports (root); otherwise the network process relays all of it (plain user).
    """

    def __init__(
        self,
        engine_id: str,
        sockets: BridgeSockets,
        ports: PortPublisher,
        *,
        kernel_ports: bool,
    ) -> None:
        self._tag = f"wherry:{engine_id[:12]}"
        self._route, self._slow_route = sockets.route, sockets.slow
        self.table = FilterTable(engine_id, sockets.netfilter)
        self._ports = ports
        self._kernel_ports = kernel_ports
        self._deleting = asyncio.Lock()

    def validate(self, network: Network) -> None:
        """Refuse what the kernel would refuse later, and less clearly. Raises InvalidInput."""
        name = network.bridge
        if not name or len(name) > _NAME_LIMIT or not name.isascii() or set(name) & set("/ :\t\n"):
            raise InvalidInput(f"invalid bridge name {name!r}: 1 to 15 characters, no / : or space")
        if name == "docker0":
            raise InvalidInput("bridge docker0 belongs to dockerd: choose another name")
        ipam.new_state(network.subnet, network.gateway)
        if network.mtu and not 68 <= network.mtu <= 65535:
            raise InvalidInput(f"invalid mtu {network.mtu}: 68 to 65535, or 0 for the kernel's")

    async def create(self, network: Network) -> None:
        """The bridge with its address, and its rules. Raises Conflict (another's link), OSError."""
        self.validate(network)
        if self._kernel_ports:
            enable_forwarding()
        found = self._bridge(network)
        ifindex = found.ifindex if found else self._create_link(network)
        prefix = IPv4Network(network.subnet).prefixlen
        self._route.request(
            rtnetlink.address_message(ifindex, network.gateway, prefix),
            rtnetlink.change_message(ifindex, f"set link {network.bridge} up", up=True),
        )
        self.table.add_bridge(_bridge_rules(network))

    async def restore(self, networks: Iterable[Network]) -> None:
        """After a restart of the daemon: all networks and all ports in one transaction.

        Without it the first `create` would replace the table and forget the ports in it.
        """
        listed = list(networks)
        known: set[Translation] = set()
        for entry in await self._ports.published():
            known |= set(self._translations(entry.address, entry.ports))
        self.table.start(map(_bridge_rules, listed), known)
        for network in listed:
            await self.create(network)

    async def remove(self, network: Network) -> None:
        """The bridge and its rules, gone."""
        self.table.remove_bridge(network.bridge)
        if found := self._bridge(network):
            async with self._deleting:
                await asyncio.to_thread(self._delete, found)

    async def join(self, network: Network, endpoint: Endpoint, sandbox: Sandbox) -> Joined:
        """Ports first (they can conflict), then the link, then the rules."""
        bindings = tuple(
            entry._replace(host_ip=entry.host_ip or network.host_binding_ip)
            for entry in endpoint.ports
        )
        ports = await self._publish(endpoint, bindings)
        try:
            interface = self._connect(network, endpoint, sandbox)
            self.table.translate(self._translations(endpoint.address, ports))
        except BaseException:
            await self.leave(network, endpoint, sandbox)
            raise
        return Joined((interface,), ports)

    async def leave(
        self, network: Network, endpoint: Endpoint, sandbox: Sandbox | None = None
    ) -> None:
        """Port of the bridge down, rules and ports gone.

        The link itself dies with its namespace: deleting it would block for 20 to 35 ms. Only a
        container that lives on loses it here, in a thread.
        """
        name = host_link_name(endpoint.id, endpoint.generation)
        found = self._take_down(name)
        self.table.forget(endpoint.address)
        if endpoint.ports:
            await self._ports.withdraw(endpoint.id)
        if found is not None and sandbox is not None:
            async with self._deleting:
                await asyncio.to_thread(self._delete, found)

    async def _publish(
        self, endpoint: Endpoint, bindings: tuple[PortBinding, ...]
    ) -> tuple[PublishedPort, ...]:
        if not bindings:
            return ()
        try:
            return await self._ports.publish(endpoint.id, endpoint.address, bindings)
        except WherryError as error:
            raise type(error)(
                "driver failed programming external connectivity on endpoint "
                f"{endpoint.container} ({endpoint.id}): {error}"
            ) from error

    def _bridge(self, network: Network) -> Link | None:
        found = rtnetlink.link(self._route, network.bridge)
        if found is not None and (found.kind != "bridge" or found.alias != self._tag):
            owner = found.alias or f"a {found.kind or 'link'} that wherry did not make"
            raise Conflict(
                f"link {network.bridge} of network {network.name} is in use ({owner}): "
                "choose another bridge name"
            )
        return found

    def _create_link(self, network: Network) -> int:
        mac = ipam.mac_for(network.gateway)
        message = rtnetlink.link_message("bridge", network.bridge, mac=mac, mtu=network.mtu)
        self._route.request(message)
        created = rtnetlink.link(self._route, network.bridge)
        if created is None:
            raise OSError(errno.ENODEV, f"bridge {network.bridge} vanished while it was made")
        text = f"mark bridge {network.bridge} as ours"
        self._route.request(
            rtnetlink.change_message(created.ifindex, text, alias=self._tag),
            rtnetlink.quiet_ipv6_message(created.ifindex, network.bridge),
        )
        return created.ifindex

    def _connect(self, network: Network, endpoint: Endpoint, sandbox: Sandbox) -> Interface:
        with container_route(sandbox) as inside:
            link = rtnetlink.link(inside, endpoint.interface)
            name = host_link_name(endpoint.id, endpoint.generation)
            if link is None:
                self._create_pair(network, endpoint, sandbox, name)
                link = rtnetlink.link(inside, endpoint.interface)
            if link is None:
                raise OSError(errno.ENODEV, f"link {endpoint.interface} of {name} is not there")
            return _configure(inside, link, network, endpoint, name)

    def _create_pair(
        self, network: Network, endpoint: Endpoint, sandbox: Sandbox, name: str
    ) -> None:
        bridge = self._bridge(network)
        if bridge is None:
            raise OSError(errno.ENODEV, f"bridge {network.bridge} of network {network.name}")
        mac = endpoint.mac or ipam.mac_for(endpoint.address)
        far = VethEnd(endpoint.interface, mac, sandbox.netns_fd)
        mtu = network.mtu or bridge.mtu
        messages = [rtnetlink.veth_message(VethEnd(name), far, master=bridge.ifindex, mtu=mtu)]
        if endpoint.ports and self._kernel_ports:
            messages.append(rtnetlink.hairpin_message(name))
        try:
            self._route.request(*messages)
        except FileExistsError:
            # a start that died half way left the name with a peer elsewhere
            if stale := rtnetlink.link(self._route, name):
                self._route.request(rtnetlink.delete_message(stale.ifindex, name))
            self._route.request(*messages)

    def _take_down(self, name: str) -> Link | None:
        try:
            self._route.request(rtnetlink.up_by_name_message(name, up=False))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise
        return rtnetlink.link(self._route, name)

    def _delete(self, link: Link) -> None:
        try:
            self._slow_route.request(rtnetlink.delete_message(link.ifindex, link.name))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise

    def _translations(self, address: str, ports: Iterable[PublishedPort]) -> list[Translation]:
        return [
            Translation(port.protocol, port.host_ip, port.host_port, address, port.container_port)
            for port in ports
            if self._kernel_ports and ":" not in port.host_ip and port.host_ip[:4] != "127."
        ]


def _configure(
    inside: NetlinkSocket, link: Link, network: Network, endpoint: Endpoint, host_name: str
) -> Interface:
    """The container's side in one send: loopback, address, up, default route."""
    prefix = IPv4Network(network.subnet).prefixlen
    up = f"set link {link.name} up"
    messages = [
        rtnetlink.up_by_name_message("lo"),
        rtnetlink.quiet_ipv6_message(link.ifindex, link.name),
        rtnetlink.address_message(link.ifindex, endpoint.address, prefix),
        rtnetlink.change_message(link.ifindex, up, up=True),
    ]
    gateway = network.gateway if endpoint.default_route and not network.internal else ""
    if gateway:
        messages.append(rtnetlink.route_message("", 0, gateway=gateway))
    inside.request(*messages)
    return Interface(link.name, host_name, link.mac, endpoint.address, prefix, gateway)


def _bridge_rules(network: Network) -> Bridge:
    return Bridge(
        network.bridge,
        network.subnet,
        network.gateway,
        masquerade=network.masquerade,
        inter_container=network.inter_container,
        internal=network.internal,
    )
