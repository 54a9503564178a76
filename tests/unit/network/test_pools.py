"""Subnets in use, from this machine's own routes (reading them needs no privilege)."""

from ipaddress import IPv4Network

from wherry.linux.netlink import NetlinkSocket
from wherry.network import ipam
from wherry.network.pools import used_subnets


def test_a_chosen_pool_overlaps_no_route_of_this_machine() -> None:
    with NetlinkSocket.open() as route:
        used = used_subnets(route)
    chosen = ipam.choose_pool(used, (*ipam.DEFAULT_POOLS, ("10.0.0.0/8", 24)))
    assert not any(chosen.overlaps(IPv4Network(text)) for text in used)
