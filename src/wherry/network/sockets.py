"""The netlink sockets a driver works through, opened where they have to act."""

from typing import NamedTuple

from wherry.linux import netns
from wherry.linux.netlink import NETFILTER, NetlinkSocket
from wherry.network.driver import Sandbox
from wherry.network.sysctl import enable_forwarding, enable_ipv6_forwarding, enable_ipv6_on


class BridgeSockets(NamedTuple):
    """Sockets in the namespace of the bridges; the slow ones are for work in a thread."""

    route: NetlinkSocket
    slow: NetlinkSocket
    netfilter: NetlinkSocket
    slow_netfilter: NetlinkSocket
    netns_fd: int = -1

    @classmethod
    def open(cls, netns_fd: int = -1) -> "BridgeSockets":
        """In our own namespace, or in that of the descriptor; IPv4 forwarding is switched on there.

        In a namespace without a way out, forwarding means an ICMP error at once for what cannot
        leave, instead of silence.
        """
        if netns_fd < 0:
            return cls._open_here()
        return netns.inside(netns_fd, cls._open_here)._replace(netns_fd=netns_fd)

    @classmethod
    def _open_here(cls) -> "BridgeSockets":
        enable_forwarding()
        route, slow = NetlinkSocket.open(), NetlinkSocket.open()
        return cls(route, slow, NetlinkSocket.open(NETFILTER), NetlinkSocket.open(NETFILTER))

    def forward_ipv6(self) -> None:
        """Switch IPv6 forwarding on where the bridges are. Raises OSError."""
        if self.netns_fd < 0:
            enable_ipv6_forwarding()
        else:
            netns.inside(self.netns_fd, enable_ipv6_forwarding)

    def enable_ipv6_on(self, link: str) -> None:
        """IPv6 on a link where the bridges are, whatever the default is. Raises OSError."""
        if self.netns_fd < 0:
            enable_ipv6_on(link)
        else:
            netns.inside(self.netns_fd, lambda: enable_ipv6_on(link))

    def close(self) -> None:
        """Close them all."""
        for sock in (self.route, self.slow, self.netfilter, self.slow_netfilter):
            sock.close()


def container_route(sandbox: Sandbox) -> NetlinkSocket:
    """An rtnetlink socket in the container: the one we were handed, or a new one."""
    if sandbox.rtnl_fd >= 0:
        return NetlinkSocket.from_descriptor(sandbox.rtnl_fd)
    return netns.inside(sandbox.netns_fd, NetlinkSocket.open)
