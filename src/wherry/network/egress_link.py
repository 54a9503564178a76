"""Guarded containers speak for themselves only: what their link may bring to the bridge.

Egress rules go by the source address, and a container with NET_RAW can write any. A chain at the
host's end of its link (nf_tables, family netdev, hook ingress) lets through ARP, IPv4 from its own
address, and IPv6 within its network: our forwarder speaks IPv4 only, so nothing else leaves. The
kernel removes the chain with its link.
"""

import errno
import socket
from ipaddress import IPv6Network

from wherry.linux import nft_expressions as nft
from wherry.linux import nftables
from wherry.linux.netlink import Message, NetlinkSocket
from wherry.linux.nftables import INGRESS, NETDEV, Chain, Rule
from wherry.network.driver import Endpoint, Network
from wherry.network.firewall import table_name

_ARP, _IPV4, _IPV6 = 0x0806, 0x0800, 0x86DD
_NEIGHBOURS = ("ff02::/16", "fe80::/10")
"""Where neighbour discovery goes."""
_NO_FAMILY = (errno.EOPNOTSUPP, errno.EAFNOSUPPORT)


class LinkGuards:
    """One engine's chains, through a netfilter socket in the bridges' namespace."""

    def __init__(self, engine_id: str, sock: NetlinkSocket) -> None:
        self._table, self._socket = table_name(engine_id), sock

    def hold(self, link: str, network: Network, endpoint: Endpoint) -> None:
        """Hold the link to its addresses. May be repeated. Raises OSError (no such link)."""
        nftables.commit(self._socket, plan(self._table, link, network, endpoint))

    def remove(self) -> None:
        """For the engine's end: the table with all chains, gone."""
        messages = [
            nftables.new_table(NETDEV, self._table),
            nftables.delete_table(NETDEV, self._table),
        ]
        try:
            nftables.commit(self._socket, messages)
        except OSError as error:
            if error.errno not in _NO_FAMILY:  # a kernel without the family has no table
                raise


def plan(table: str, link: str, network: Network, endpoint: Endpoint) -> list[Message]:
    """The transaction that holds a link, whether it was held before or not. Pure."""
    chain = Chain(NETDEV, table, link, "filter", INGRESS, 0, drops=True, device=link)
    messages = [
        nftables.new_table(NETDEV, table),
        nftables.new_chain(chain),
        nftables.flush_chain(NETDEV, table, link),
    ]
    accept = nft.verdict(nft.ACCEPT)
    own = nft.source_in(socket.inet_aton(endpoint.address), 32)
    rules = [nft.ether_type_is(_ARP), (*nft.ether_type_is(_IPV4), *own)]
    if network.subnet6:
        rules += _ipv6(network)
    return messages + [
        nftables.new_rule(NETDEV, table, Rule(link, (*match, accept))) for match in rules
    ]


def _ipv6(network: Network) -> list[tuple[bytes, ...]]:
    """Neighbours, and how they are found; not the host, whose address is the gateway."""
    head = nft.ether_type_is(_IPV6)
    address = socket.inet_pton(socket.AF_INET6, network.gateway6)
    gateway = nft.destination_in(address, 128, differs=True)
    inside = (*head, *_within(network.subnet6), *gateway)
    discovery = nft.protocol_is(socket.IPPROTO_ICMPV6)
    return [inside, *((*head, *discovery, *_within(subnet)) for subnet in _NEIGHBOURS)]


def _within(subnet: str) -> tuple[bytes, ...]:
    network = IPv6Network(subnet)
    return nft.destination_in(network.network_address.packed, network.prefixlen)
