"""The default route of a container that lives: which end keeps it changes with its networks."""

import errno
import socket

from wherry.linux import rtnetlink
from wherry.linux.netlink import NetlinkSocket
from wherry.network.driver import Sandbox
from wherry.network.sockets import container_route


def set_gateways(sandbox: Sandbox, gateway: str, gateway6: str) -> None:
    """Send what has no other route to these gateways; "" for nowhere. May be repeated.

    Raises OSError (the gateway is on none of the container's links).
    """
    with container_route(sandbox) as route:
        for family, wanted in ((socket.AF_INET, gateway), (socket.AF_INET6, gateway6)):
            _set(route, family, wanted)


def _set(route: NetlinkSocket, family: int, wanted: str) -> None:
    present = [
        entry.gateway
        for entry in rtnetlink.routes(route, family)
        if not entry.destination and entry.gateway
    ]
    if present == ([wanted] if wanted else []):
        return
    for gateway in present:
        _remove(route, gateway)
    if wanted:
        route.request(rtnetlink.route_message("", 0, gateway=wanted))


def _remove(route: NetlinkSocket, gateway: str) -> None:
    try:
        route.request(rtnetlink.route_message("", 0, gateway=gateway, remove=True))
    except OSError as error:
        if error.errno != errno.ESRCH:  # it went with its link
            raise
