"""DNS queries from a plain user's namespace, asked again of the host's resolvers.

Datagrams are passed on as they are; a resolver that is silent or refuses is followed by the next.
"""

import contextlib
import socket
import time

from wherry.network.inside import Inside
from wherry.network.loop import READ, Loop
from wherry.network.resolvers import Resolvers

_PATIENCE = 2.0
"""Seconds until the next resolver is asked."""
_ROUNDS = 2
_QUERIES = 1024
_LARGEST = 1 << 16
_BURST = 64


class _Query:
    __slots__ = ("asked", "attempt", "client", "data", "socket")

    def __init__(self, client: tuple[object, ...], data: bytes) -> None:
        self.client, self.data = client, data
        self.attempt = -1
        self.asked = 0.0
        self.socket: socket.socket | None = None


class DnsForwarder:
    """The UDP socket inside, and the queries under way."""

    def __init__(self, loop: Loop, inside: Inside, resolvers: Resolvers, port: int) -> None:
        self._loop, self._resolvers = loop, resolvers
        self._queries: set[_Query] = set()
        self._socket = inside.call(lambda: _bound(port))
        self.port: int = self._socket.getsockname()[1]
        loop.watch(self._socket.fileno(), READ, self._from_containers)
        loop.every_second(self._tick)

    def _from_containers(self, _: int) -> None:
        with contextlib.suppress(OSError):  # nothing more for now
            for _round in range(_BURST):
                data, client = self._socket.recvfrom(_LARGEST)
                if len(self._queries) < _QUERIES:
                    query = _Query(client, data)
                    self._queries.add(query)
                    self._ask_next(query)

    def _ask_next(self, query: _Query) -> None:
        servers = self._resolvers.servers()
        query.attempt += 1
        self._close(query)
        if query.attempt >= len(servers) * _ROUNDS:
            self._queries.discard(query)
            return
        query.asked = time.monotonic()
        # out of descriptors, or unreachable: the tick asks the next one
        with contextlib.suppress(OSError):
            self._ask(query, servers[query.attempt % len(servers)])

    def _ask(self, query: _Query, server: str) -> None:
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        query.socket = sock = socket.socket(socket.AF_INET, kind)
        self._loop.watch(sock.fileno(), READ, lambda _: self._answered(query, sock))
        sock.connect((server, 53))
        sock.send(query.data)

    def _answered(self, query: _Query, sock: socket.socket) -> None:
        try:
            data = sock.recv(_LARGEST)
        except BlockingIOError:
            return
        except OSError:  # refused (ICMP)
            self._ask_next(query)
            return
        with contextlib.suppress(OSError):  # the container is gone
            self._socket.sendto(data, query.client)
        self._queries.discard(query)
        self._close(query)

    def _close(self, query: _Query) -> None:
        if query.socket is not None:
            self._loop.forget(query.socket.fileno())
            query.socket.close()
            query.socket = None

    def _tick(self, now: float) -> None:
        for query in [one for one in self._queries if now - one.asked > _PATIENCE]:
            self._ask_next(query)


def _bound(port: int) -> socket.socket:
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    sock = socket.socket(socket.AF_INET, kind)
    try:
        sock.bind(("0.0.0.0", port))
    except OSError:
        sock.close()
        raise
    return sock
