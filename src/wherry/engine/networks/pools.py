"""Which subnet a new network gets: one that nothing here uses yet."""

from collections.abc import Iterable
from ipaddress import IPv4Address

from wherry.linux import netns
from wherry.linux.netlink import NetlinkSocket
from wherry.network import ipam
from wherry.network.pools import used_subnets


def free_subnet(networks: Iterable[str], engine_netns: int = -1) -> str:
    """The first of Docker's pools that overlaps no route and no network. Raises Unavailable."""
    return str(ipam.choose_pool([*networks, *used_by_host(engine_netns)]))


def used_by_host(engine_netns: int = -1) -> list[str]:
    """IPv4 destinations of the host's routes, and of those in the engine's own namespace.

    Both count: a container of a plain user reaches the host's networks through our forwarder.
    """
    with open("/proc/thread-self/net/route", encoding="ascii") as file:
        found = routes_in(file.read())
    if engine_netns >= 0:
        found += netns.inside(engine_netns, _routes_here)
    return found


def _routes_here() -> list[str]:
    with NetlinkSocket.open() as route:
        return used_subnets(route)


def routes_in(text: str) -> list[str]:
    """The destinations in /proc/net/route, which has them in little-endian hex; no default."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(fields[n])[::-1]) for n in (1, 7))
        if mask:
            found.append(f"{IPv4Address(address)}/{mask.bit_count()}")
    return found
