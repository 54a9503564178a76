"""The netlink sockets a driver works through, opened where they have to act."""

from typing import NamedTuple

from wherry.linux import netns
from wherry.linux.netlink import NETFILTER, NetlinkSocket
from wherry.network.driver import Sandbox


class BridgeSockets(NamedTuple):
    """Sockets in the namespace of the bridges. `slow` is used by one worker thread at a time."""

    route: NetlinkSocket
    slow: NetlinkSocket
    netfilter: NetlinkSocket

    @classmethod
    def open(cls, netns_fd: int = -1) -> "BridgeSockets":
        """In our own namespace, or in that of the descriptor."""
        if netns_fd < 0:
            return cls._open_here()
        return netns.inside(netns_fd, cls._open_here)

    @classmethod
    def _open_here(cls) -> "BridgeSockets":
        return cls(NetlinkSocket.open(), NetlinkSocket.open(), NetlinkSocket.open(NETFILTER))

    def close(self) -> None:
        """Close them all."""
        for sock in self:
            sock.close()


def container_route(sandbox: Sandbox) -> NetlinkSocket:
    """An rtnetlink socket in the container: the one we were handed, or a new one."""
    if sandbox.rtnl_fd >= 0:
        return NetlinkSocket.from_descriptor(sandbox.rtnl_fd)
    return netns.inside(sandbox.netns_fd, NetlinkSocket.open)
