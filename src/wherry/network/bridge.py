# ruff: noqa: ARG002 - the protocol names the parameters
"""The bridge driver: a bridge a network, a veth pair a container, NAT and published ports.

It works through netlink sockets that were opened in the bridges' namespace (the host's for root,
the engine's own for a plain user) and in the container's, so the daemon enters no namespace and
starts no process.
"""

import asyncio
import contextlib
from collections.abc import Iterable

from wherry.kit.errors import Conflict, InvalidInput, WherryError
from wherry.linux import conntrack
from wherry.linux.rtnetlink import Link
from wherry.network import bridge_links, foreign, ipam
from wherry.network.bridge_ipv6 import Ipv6Side, bridge_rules
from wherry.network.bridge_links import BridgeLinks
from wherry.network.driver import Endpoint, Joined, Network, PortPublisher, Sandbox
from wherry.network.egress.guards import Guarded
from wherry.network.egress_link import LinkGuards
from wherry.network.filter_table import FilterTable
from wherry.network.firewall import Bridge, Ruleset, Translation
from wherry.network.ports import Outbound, PortBinding, PublishedPort
from wherry.network.sockets import BridgeSockets

DEFAULT_BRIDGE = "wherry0"
_NAME_LIMIT = 15


class BridgeDriver:
    """Networks of driver `bridge` of one engine.

    The sockets act on the bridges' namespace. `own_netns` (plain user): that is not the host's
    but one without a way out, so the network process carries what comes in and goes out; otherwise
    the kernel's address translation does.
    """

    def __init__(
        self, engine_id: str, sockets: BridgeSockets, ports: PortPublisher, *, own_netns: bool
    ) -> None:
        self._tag = f"wherry:{engine_id[:12]}"
        self._links = BridgeLinks(sockets.route, self._tag, sockets.enable_ipv6_on)
        self._table = FilterTable(engine_id, sockets.netfilter)
        self._link_guards = LinkGuards(engine_id, sockets.netfilter)
        self._six = Ipv6Side(engine_id, sockets)
        self._sockets, self._ports = sockets, ports
        self._kernel_ports = not own_netns
        self._permitted: set[tuple[foreign.Blocker, str]] = set()
        self._slow = asyncio.Lock()
        """Held by the one thread that uses the slow sockets."""

    def validate(self, network: Network) -> None:
        """Refuse what the kernel would refuse later, and less clearly. Raises InvalidInput."""
        name = network.bridge
        if not name or len(name) > _NAME_LIMIT or not name.isascii() or set(name) & set("/ :\t\n"):
            raise InvalidInput(f"invalid bridge name {name!r}: 1 to 15 characters, no / : or space")
        if name in ("docker0", ".", ".."):
            raise InvalidInput(f"bridge name {name} is not ours to use: choose another name")
        ipam.new_state(network.subnet, network.gateway)
        if network.mtu and not 68 <= network.mtu <= 65535:
            raise InvalidInput(f"invalid mtu {network.mtu}: 68 to 65535, or 0 for the kernel's")

    async def create(self, network: Network) -> None:
        """The bridge with its address, and its rules. Raises Conflict (another's link), OSError."""
        self.validate(network)
        if network.subnet6:
            self._six.prepare()
        self._links.ensure_bridge(network)
        self._table.add_bridge(bridge_rules(network))
        self._six.add(network)
        if self._kernel_ports:
            await self._permit(network)
        else:
            self._table.redirect(await self._outbound(self._table.rules.bridges))

    async def restore(
        self, networks: Iterable[Network], endpoints: Iterable[Endpoint] = ()
    ) -> None:
        """At the daemon's start: all networks, and the ports held for them, in one transaction.

        Without it the first `create` would replace the table and forget the ports in it.
        `endpoints` are those of running containers, with the ports they have: a network process
        that died with the last daemon has to be told of them, and of their egress rules.
        """
        by_id = {endpoint.id: endpoint for endpoint in endpoints}
        listed = list(networks)
        for endpoint in by_id.values():
            await self._hold(endpoint)
        known: set[Translation] = set()
        published = await self._ports.published()
        for entry in published:
            known |= set(self._translations(entry.address, entry.ports))
        bridges = tuple(map(bridge_rules, listed))
        outbound = None if self._kernel_ports else await self._outbound(bridges)
        guarded, ports = await self._ports.guarded()
        guards = frozenset(entry.address for entry in guarded)
        self._table.start(Ruleset(bridges, frozenset(known), outbound, guards, ports))
        self._six.start(listed, by_id, published if self._kernel_ports else ())
        for network in listed:
            await self.create(network)

    async def _hold(self, endpoint: Endpoint) -> None:
        """Says nothing new to a network process that lives."""
        if endpoint.egress:
            await self._ports.guard(_guarded(endpoint))
        if endpoint.ports:
            with contextlib.suppress(Conflict):  # taken by somebody while nobody held it
                await self._ports.publish(endpoint.id, endpoint.address, endpoint.ports)

    async def remove(self, network: Network) -> None:
        """The bridge and its rules, gone."""
        self._table.remove_bridge(network.bridge)
        self._six.remove_bridge(network)
        sock = self._sockets.slow_netfilter
        async with self._slow:
            if blockers := foreign.find(sock):
                arguments = (sock, blockers, network.bridge, self._tag)
                await asyncio.to_thread(foreign.forbid, *arguments)
            self._permitted = {one for one in self._permitted if one[1] != network.bridge}
        if found := self._links.own_bridge(network):
            await self._delete(found)

    async def remove_table(self) -> None:
        """For the engine's end: its packet filter, gone."""
        self._table.remove()
        self._link_guards.remove()
        self._six.remove()

    async def join(self, network: Network, endpoint: Endpoint, sandbox: Sandbox) -> Joined:
        """Ports first (they can conflict), then the link, then the rules."""
        ports = await self.publish(network, endpoint)
        try:
            if endpoint.egress:
                await self._guard(endpoint)
            interface = self._links.connect(network, endpoint, sandbox, hairpin=self._kernel_ports)
            if endpoint.egress:
                self._link_guards.hold(interface.host_name, network, endpoint)
            if self._kernel_ports:
                await self._permit(network)
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
        found = self._links.take_down(endpoint)
        self._table.release(endpoint.address)
        self._six.release(endpoint)
        if endpoint.egress:
            await self._ports.release(endpoint.id)
        await self.withdraw(network, endpoint)
        if found is not None and sandbox is not None:
            await self._delete(found)

    async def withdraw(self, network: Network, endpoint: Endpoint) -> None:
        """The packet filter first, then the listeners, then what runs already."""
        gone = self._table.forget(endpoint.address)
        self._six.forget(endpoint)
        if endpoint.ports:
            await self._ports.withdraw(endpoint.id)
        await self._forget_flows(gone)

    async def _guard(self, endpoint: Endpoint) -> None:
        """The rules first, so that nothing is redirected to where nobody knows it."""
        ports = await self._ports.guard(_guarded(endpoint))
        self._table.guard(endpoint.address, ports)
        self._six.guard(endpoint)

    async def publish(self, network: Network, endpoint: Endpoint) -> tuple[PublishedPort, ...]:
        """Host ports first (they can conflict), then the packet filter's way to them."""
        ports = await self._take_ports(network, endpoint)
        try:
            self._table.translate(self._translations(endpoint.address, ports))
            if self._kernel_ports:
                self._six.translate(endpoint, ports)
        except BaseException:
            await self._ports.withdraw(endpoint.id)
            raise
        return ports

    async def _take_ports(self, network: Network, endpoint: Endpoint) -> tuple[PublishedPort, ...]:
        if not endpoint.ports:
            return ()
        bindings = tuple(
            PortBinding(*entry)._replace(host_ip=entry.host_ip or network.host_binding_ip)
            for entry in endpoint.ports
        )
        try:
            return await self._ports.publish(endpoint.id, endpoint.address, bindings)
        except WherryError as error:
            raise type(error)(
                "driver failed programming external connectivity on endpoint "
                f"{endpoint.container} ({endpoint.id}): {error}"
            ) from error

    async def _outbound(self, bridges: Iterable[Bridge]) -> Outbound:
        gateways = [bridge.gateway for bridge in bridges if not bridge.internal]
        return await self._ports.outbound(gateways)

    async def _permit(self, network: Network) -> None:
        """Others' chains that drop what is forwarded: let this bridge through.

        Looked for at each join (0.1 ms), since a firewall may be started after us.
        """
        found = {
            (blocker, network.bridge)
            for blocker in foreign.find(self._sockets.netfilter)
            if foreign.applies(blocker, ipv6=bool(network.subnet6))
        }
        if new := found - self._permitted:
            blockers = [blocker for blocker, _ in new]
            arguments = (self._sockets.slow_netfilter, blockers, network.bridge, self._tag)
            async with self._slow:
                await asyncio.to_thread(foreign.permit, *arguments)
            self._permitted |= new

    async def _forget_flows(self, gone: Iterable[Translation]) -> None:
        """UDP senders that do not pause must notice that a port leads elsewhere now.

        In a thread: the kernel walks its whole table, which takes it some 10 ms.
        """
        sock = self._sockets.slow_netfilter
        for address in {entry.address for entry in gone if entry.protocol == "udp"}:
            async with self._slow:
                await asyncio.to_thread(conntrack.forget_udp_to, sock, address)

    async def _delete(self, link: Link) -> None:
        async with self._slow:
            await asyncio.to_thread(bridge_links.delete, self._sockets.slow, link)

    def _translations(self, address: str, ports: Iterable[PublishedPort]) -> list[Translation]:
        return [
            Translation(port.protocol, port.host_ip, port.host_port, address, port.container_port)
            for port in ports
            if self._kernel_ports and ":" not in port.host_ip and port.host_ip[:4] != "127."
        ]


def _guarded(endpoint: Endpoint) -> Guarded:
    where = (endpoint.id, endpoint.container_id, endpoint.address)
    return Guarded(*where, endpoint.egress)
