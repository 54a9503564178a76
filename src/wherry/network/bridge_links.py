"""The links of bridge networks: the bridge itself, and a veth pair for each container."""

import errno
from collections.abc import Callable

from wherry.kit.errors import Conflict
from wherry.linux import netns, rtnetlink
from wherry.linux.netlink import Message, NetlinkSocket
from wherry.linux.rtnetlink import Link, VethEnd
from wherry.network import ipam
from wherry.network.driver import Endpoint, Interface, Network, Sandbox
from wherry.network.sockets import container_route
from wherry.network.sysctl import enable_ipv6_on

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def host_link_name(endpoint: str, generation: int) -> str:
    """The host's end of a container's veth: endpoint and start, within IFNAMSIZ (15)."""
    suffix, number = "", generation % 36**3
    for _ in range(3):
        number, digit = divmod(number, 36)
        suffix = _DIGITS[digit] + suffix
    return f"wv{endpoint[:9]}{suffix}"


class BridgeLinks:
    """Links in the namespace of an rtnetlink socket; bridges are marked with the engine's tag.

    `enable_ipv6` does that for a link there, where the host has IPv6 off by default.
    """

    def __init__(
        self, route: NetlinkSocket, tag: str, enable_ipv6: Callable[[str], None] = enable_ipv6_on
    ) -> None:
        self._route, self._tag, self._enable_ipv6 = route, tag, enable_ipv6

    def bridge(self, network: Network) -> Link | None:
        """The network's bridge. Raises Conflict when its name belongs to somebody else's link."""
        found = rtnetlink.link(self._route, network.bridge)
        if found is not None and (found.kind != "bridge" or found.alias != self._tag):
            owner = found.alias or f"a {found.kind or 'link'} that wherry did not make"
            raise Conflict(
                f"link {network.bridge} of network {network.name} is in use ({owner}): "
                "choose another bridge name"
            )
        return found

    def own_bridge(self, network: Network) -> Link | None:
        """The same, but another's link of that name is none of ours."""
        try:
            return self.bridge(network)
        except Conflict:
            return None

    def ensure_bridge(self, network: Network) -> None:
        """The bridge: there, up, with its address. May be repeated."""
        found = self.bridge(network)
        ifindex = found.ifindex if found else self._create_bridge(network)
        if network.subnet6:
            self._enable_ipv6(network.bridge)
        addresses = ((network.gateway, network.subnet), (network.gateway6, network.subnet6))
        self._route.request(
            *(
                rtnetlink.address_message(ifindex, address, prefix_of(subnet))
                for address, subnet in addresses
                if address
            ),
            rtnetlink.change_message(ifindex, f"set link {network.bridge} up", up=True),
        )

    def _create_bridge(self, network: Network) -> int:
        """Down at first; a fixed hardware address, or it would change with every port."""
        name, mac = network.bridge, ipam.mac_for(network.gateway)
        self._route.request(
            rtnetlink.link_message("bridge", name, mac=mac, mtu=network.mtu, up=False)
        )
        created = rtnetlink.link(self._route, name)
        if created is None:
            raise OSError(errno.ENODEV, f"bridge {name} vanished while it was made")
        messages = [
            rtnetlink.change_message(created.ifindex, f"mark {name} as ours", alias=self._tag)
        ]
        if not network.subnet6:
            messages.append(rtnetlink.quiet_ipv6_message(created.ifindex, name))
        self._route.request(*messages)
        return created.ifindex

    def connect(
        self, network: Network, endpoint: Endpoint, sandbox: Sandbox, *, hairpin: bool
    ) -> Interface:
        """A veth from the bridge into the container, configured there. May be repeated."""
        name = host_link_name(endpoint.id, endpoint.generation)
        with container_route(sandbox) as inside:
            link = rtnetlink.link(inside, endpoint.interface)
            if link is None:
                self._create_pair(network, endpoint, sandbox.netns_fd, hairpin)
                link = rtnetlink.link(inside, endpoint.interface)
            if link is None:
                raise OSError(errno.ENODEV, f"link {endpoint.interface}, peer of {name}, is gone")
            if endpoint.address6:
                netns.inside(sandbox.netns_fd, lambda: enable_ipv6_on(endpoint.interface))
            return _configure(inside, link, network, endpoint, name)

    def _create_pair(
        self, network: Network, endpoint: Endpoint, netns_fd: int, hairpin: bool
    ) -> None:
        name = host_link_name(endpoint.id, endpoint.generation)
        bridge = self.bridge(network)
        if bridge is None:
            raise OSError(errno.ENODEV, f"bridge {network.bridge} of network {network.name}")
        mac, mtu = endpoint.mac or ipam.mac_for(endpoint.address), network.mtu or bridge.mtu
        far = VethEnd(endpoint.interface, mac, netns_fd)
        messages = [rtnetlink.veth_message(VethEnd(name), far, master=bridge.ifindex, mtu=mtu)]
        if hairpin:
            messages.append(rtnetlink.hairpin_message(name))
        if not network.inter_container:
            messages.append(rtnetlink.isolation_message(name))
        try:
            self._route.request(*messages)
        except FileExistsError:
            # a start that died half way left the name with a peer elsewhere
            if stale := rtnetlink.link(self._route, name):
                self._route.request(rtnetlink.delete_message(stale.ifindex, name))
            self._route.request(*messages)

    def take_down(self, endpoint: Endpoint) -> Link | None:
        """Silence a container's link at once; the link, if it is there still."""
        name = host_link_name(endpoint.id, endpoint.generation)
        try:
            self._route.request(rtnetlink.up_by_name_message(name, up=False))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise
        return rtnetlink.link(self._route, name)


def delete(route: NetlinkSocket, link: Link) -> None:
    """Delete a link, or see that it is gone. Blocks for 20 to 35 ms for a veth."""
    try:
        route.request(rtnetlink.delete_message(link.ifindex, link.name))
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise


def prefix_of(subnet: str) -> int:
    """The prefix length of a CIDR text, 0 for none."""
    return int(subnet.partition("/")[2] or 0)


def _configure(
    inside: NetlinkSocket, link: Link, network: Network, endpoint: Endpoint, host_name: str
) -> Interface:
    """The container's side in one send: loopback, addresses, up, default routes."""
    open_network = not network.internal
    made = Interface(
        link.name,
        host_name,
        link.mac,
        endpoint.address,
        prefix_of(network.subnet),
        network.gateway if endpoint.default_route and open_network else "",
        endpoint.address6,
        prefix_of(network.subnet6),
        network.gateway6 if endpoint.default_route6 and open_network else "",
    )
    inside.request(*configuration(link, made))
    return made


def configuration(link: Link, wanted: Interface) -> list[Message]:
    """What gives a link in a container its addresses and routes."""
    messages = [rtnetlink.up_by_name_message("lo")]
    if not wanted.address6:
        messages.append(rtnetlink.quiet_ipv6_message(link.ifindex, link.name))
    pairs = ((wanted.address, wanted.prefix), (wanted.address6, wanted.prefix6))
    messages += [rtnetlink.address_message(link.ifindex, *pair) for pair in pairs if pair[0]]
    messages.append(rtnetlink.change_message(link.ifindex, f"set link {link.name} up", up=True))
    gateways = (wanted.gateway, wanted.gateway6)
    messages += [
        rtnetlink.route_message("", 0, gateway=gateway, index=link.ifindex)
        for gateway in gateways
        if gateway
    ]
    return messages
