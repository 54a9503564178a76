"""Which subnets this machine uses already: what a new network must not overlap."""

import socket

from wherry.linux import rtnetlink
from wherry.linux.netlink import NetlinkSocket


def used_subnets(route: NetlinkSocket) -> list[str]:
    """The destinations of the IPv4 routes in the socket's namespace, the default route excepted."""
    return [
        f"{entry.destination}/{entry.prefix}"
        for entry in rtnetlink.routes(route, socket.AF_INET)
        if entry.destination
    ]
