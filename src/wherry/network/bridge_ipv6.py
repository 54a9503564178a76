"""The IPv6 side of bridge networks: a second packet filter, and what the kernel must allow.

The same rules as for IPv4, so that a network's isolation does not end at its second protocol:
addresses of a container are translated (NAT66), since a unique local subnet leads nowhere.
"""

import os
from collections.abc import Iterable, Mapping

from wherry.kit.errors import Unsupported
from wherry.linux import nftables
from wherry.network.driver import Endpoint, Network
from wherry.network.filter_table import FilterTable
from wherry.network.firewall import Bridge, Ruleset, Translation
from wherry.network.ports import Published, PublishedPort
from wherry.network.sockets import BridgeSockets
from wherry.network.sysctl import IPV6


class Ipv6Side:
    """The table of family ip6, touched only where a network has IPv6."""

    def __init__(self, engine_id: str, sockets: BridgeSockets) -> None:
        self._sockets = sockets
        self._table = FilterTable(engine_id, sockets.netfilter, nftables.IPV6)
        self._used = False

    def prepare(self) -> None:
        """Forwarding, before the first bridge has an address. Raises Unsupported."""
        if not os.path.exists(IPV6):
            raise Unsupported("this host's kernel has no IPv6: make the network without it")
        try:
            self._sockets.forward_ipv6()
        except OSError as error:
            raise Unsupported(
                f"IPv6 forwarding cannot be switched on ({error}): set "
                "net.ipv6.conf.all.forwarding=1, or make the network without IPv6"
            ) from error

    def add(self, network: Network) -> None:
        """The rules of one bridge, if it has IPv6."""
        if network.subnet6:
            self._used = True
            self._table.add_bridge(bridge_rules(network, ipv6=True))

    def start(
        self,
        networks: Iterable[Network],
        endpoints: Mapping[str, Endpoint],
        published: Iterable[Published],
    ) -> None:
        """At the daemon's start: replace what an earlier one left."""
        bridges = tuple(bridge_rules(each, ipv6=True) for each in networks if each.subnet6)
        if not bridges:
            return
        known = [
            each
            for entry in published
            if entry.endpoint in endpoints
            for each in translations6(endpoints[entry.endpoint].address6, entry.ports)
        ]
        guards = {each.address6 for each in endpoints.values() if each.egress and each.address6}
        self._used = True
        self._table.start(
            Ruleset(bridges, frozenset(known), guards=frozenset(guards), family=nftables.IPV6)
        )

    def remove_bridge(self, network: Network) -> None:
        """The rules of one bridge, gone."""
        if self._used and network.subnet6:
            self._table.remove_bridge(network.bridge)

    def translate(self, endpoint: Endpoint, ports: Iterable[PublishedPort]) -> None:
        """Published ports of `::` lead to the container's own IPv6 address."""
        if endpoint.address6:
            self._table.translate(translations6(endpoint.address6, ports))

    def forget(self, endpoint: Endpoint) -> None:
        """Nothing leads to the endpoint's address any more."""
        if self._used and endpoint.address6:
            self._table.forget(endpoint.address6)

    def guard(self, endpoint: Endpoint) -> None:
        """A container with egress rules does not get around them by IPv6."""
        if endpoint.address6:
            self._table.refuse(endpoint.address6)

    def release(self, endpoint: Endpoint) -> None:
        """Its egress rules have ended."""
        if self._used and endpoint.address6:
            self._table.release(endpoint.address6)

    def remove(self) -> None:
        """The table, gone; where the kernel has no IPv6 there never was one."""
        if os.path.exists(IPV6):
            self._table.remove()


def translations6(address: str, ports: Iterable[PublishedPort]) -> list[Translation]:
    """What the kernel carries itself; `::1` is answered by the network process, as 127.0.0.1 is."""
    return [
        Translation(port.protocol, port.host_ip, port.host_port, address, port.container_port)
        for port in ports
        if address and ":" in port.host_ip and port.host_ip != "::1"
    ]


def bridge_rules(network: Network, *, ipv6: bool = False) -> Bridge:
    """A network as the packet filter sees it."""
    return Bridge(
        network.bridge,
        network.subnet6 if ipv6 else network.subnet,
        network.gateway6 if ipv6 else network.gateway,
        masquerade=network.masquerade,
        inter_container=network.inter_container,
        internal=network.internal,
    )
