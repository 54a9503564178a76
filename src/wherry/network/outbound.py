"""The way out of a plain user's network namespace: connections end here and are made anew outside.

The namespace holds bridges and loopback only. Its packet filter redirects every TCP connection
that leaves a bridge to a listener made inside; SO_ORIGINAL_DST tells where it was meant to go, and
the connection is made from the host's namespace. What this cannot do: a refused port looks like a
reset (the container's handshake was with us), there is no ICMP. Datagrams: `udp_forwarder`.

Containers with egress rules go this way for root as well: here is decided what they may reach.
"""

import socket
import struct

from wherry.network.egress.guards import Guards
from wherry.network.inside import Inside
from wherry.network.listeners import accept_some
from wherry.network.loop import READ, Loop
from wherry.network.relay import RESET, Relay
from wherry.network.resolvers import Resolvers

_SO_ORIGINAL_DST = 80
_DNS = 53
_BACKLOG = 4096


def target_for(
    destination: tuple[str, int], gateways: frozenset[str], resolver: str, host: str
) -> tuple[str, int] | None:
    """Where a connection really goes; None where it must not go at all.

    DNS goes to the host's resolver. A gateway stands for the host: its own address, so that, as
    with Docker, services bound to the host's loopback stay out of reach. A container may send to
    any address it likes, loopback and 0.0.0.0 included, which in the host's namespace would be
    the host itself: refused.
    """
    if destination[1] == _DNS:
        return (resolver, _DNS) if resolver else None
    return reachable(destination, gateways, host)


def reachable(
    destination: tuple[str, int], gateways: frozenset[str], host: str
) -> tuple[str, int] | None:
    """The same without the special place of DNS."""
    address, port = destination
    if address in gateways:
        return (host, port) if host else None
    first = socket.inet_aton(address)[0]
    if first in (0, 127) or 224 <= first <= 239 or address == "255.255.255.255":
        return None
    return destination


def host_address() -> str:
    """The address the host sends from by default, or "". No packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(sock.getsockname()[0])


class Exit:
    """Decides where what leaves may go: shared by streams and datagrams.

    `guards` has the egress rules; `guarded_only` (root): everybody else has no business here.
    """

    def __init__(self, resolvers: Resolvers, guards: Guards, *, guarded_only: bool) -> None:
        self._resolvers, self._guards, self._guarded_only = resolvers, guards, guarded_only
        self.gateways: frozenset[str] = frozenset()

    def target(
        self, source: str, destination: tuple[str, int], protocol: str
    ) -> tuple[str, int] | None:
        """Where to go instead; None: nowhere."""
        address, port = destination
        host = host_address() if address in self.gateways else ""
        if self._guards.guards(source):
            if not self._guards.may_connect(source, address, port, protocol):
                return None
            return reachable(destination, self.gateways, host)
        if self._guarded_only:
            return None
        servers = self._resolvers.servers() if port == _DNS else ("",)
        return target_for(destination, self.gateways, servers[0], host)


class OutboundForwarder:
    """The TCP listener inside, and the connections through it."""

    def __init__(self, loop: Loop, inside: Inside, way_out: Exit, port: int) -> None:
        self._loop, self._exit = loop, way_out
        self._relays: set[Relay] = set()
        self._socket = inside.call(lambda: _listener(port))
        self.port: int = self._socket.getsockname()[1]
        self._watch()
        loop.every_second(self._tick)

    def _watch(self) -> None:
        self._loop.watch(self._socket.fileno(), READ, self._accept)

    def _accept(self, _: int) -> None:
        if not accept_some(self._socket, self._forward):
            self._loop.forget(self._socket.fileno())  # out of descriptors: see _tick

    def _tick(self, _: float) -> None:
        self._watch()

    def _forward(self, client: socket.socket) -> None:
        target = self._target(client)
        server = _stream() if target is not None else None
        if target is None or server is None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.close()
            return
        relay = Relay(self._loop, client, server, target, self._relays.discard)
        if client.fileno() >= 0:
            self._relays.add(relay)

    def _target(self, client: socket.socket) -> tuple[str, int] | None:
        try:
            raw = client.getsockopt(socket.SOL_IP, _SO_ORIGINAL_DST, 16)
            source = client.getpeername()[0]
        except OSError:  # no connection tracking entry: it was not redirected; or it is gone again
            return None
        port, address = struct.unpack_from(">2xH4s", raw)
        destination = (socket.inet_ntoa(address), port)
        if destination == client.getsockname():  # likewise
            return None
        return self._exit.target(source, destination, "tcp")


def _stream() -> socket.socket | None:
    try:
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    except OSError:  # out of descriptors
        return None


def _listener(port: int) -> socket.socket:
    kind = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    sock = socket.socket(socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(("0.0.0.0", port))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
