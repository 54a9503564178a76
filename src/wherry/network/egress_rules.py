"""The packet filter's part of egress rules: guarded containers go through our forwarder. Pure.

What a guarded container begins by TCP or UDP is redirected to the network process, which decides;
anything else (ICMP, other protocols) is refused when it would leave. Its own network stays open to
it, and answers to who reached it through a published port pass.
"""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, ip_address
from typing import NamedTuple

from wherry.linux import nft_expressions as nft
from wherry.linux.nftables import TYPE_ADDRESS, Rule, Set
from wherry.network.ports import Outbound

GUARDED = Set("guarded", (TYPE_ADDRESS,), 4)


class Subnet(NamedTuple):
    """A bridge with its IPv4 subnet and its own address in it."""

    bridge: str
    subnet: str
    gateway: str


def elements(addresses: Iterable[str]) -> dict[bytes, bytes]:
    """Guarded addresses as elements of the set."""
    return {ip_address(address).packed: b"" for address in addresses}


def rules(subnets: tuple[Subnet, ...], ports: Outbound) -> Iterable[Rule]:
    """To stand in front of all others of their chains."""
    guarded = (nft.load_source(), nft.look_up(GUARDED.name))
    for bridge, subnet, gateway in subnets:
        network = IPv4Network(subnet)
        inside = nft.destination_in(network.network_address.packed, network.prefixlen)
        not_us = nft.destination_in(IPv4Address(gateway).packed, 32, differs=True)
        done = nft.verdict(nft.RETURN)
        yield Rule("prerouting", (*guarded, *inside, *not_us, done))
        leaves = (*nft.coming_from(bridge), *nft.going_to(bridge, differs=True))
        yield Rule("forward", (*leaves, *nft.connection_is_new(), *guarded, nft.reject()))
    for protocol, port in ((socket.IPPROTO_TCP, ports.tcp), (socket.IPPROTO_UDP, ports.udp)):
        matched = (*guarded, *nft.protocol_is(protocol))
        yield Rule("prerouting", (*matched, *nft.redirect_to_port(port)))


def refusals(bridges: Iterable[str], size: int) -> Iterable[Rule]:
    """IPv6: the forwarder carries none, so a guarded container gets no further than its network."""
    guarded = (nft.load_source(size), nft.look_up(GUARDED.name))
    for bridge in bridges:
        leaves = (*nft.coming_from(bridge), *nft.going_to(bridge, differs=True))
        yield Rule("forward", (*leaves, *nft.connection_is_new(), *guarded, nft.reject()))
