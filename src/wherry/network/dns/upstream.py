"""Questions passed on to other name servers, many at a time.

A fresh socket and a fresh number for each attempt, so that nobody else can answer. A server that
is silent or has no answer to give is followed by the next, twice round.
"""

import contextlib
import os
import socket
import time
from collections.abc import Callable

from wherry.network.dns import message
from wherry.network.dns.message import Query
from wherry.network.loop import READ, WRITE, Loop

PORT = 53
PATIENCE = 2.0
"""Seconds until the next server is asked; twice that by TCP."""
_ROUNDS = 2
_QUERIES = 4096
_UNHELPFUL = (message.SERVER_FAILURE, message.NOT_IMPLEMENTED, message.REFUSED)

Done = Callable[[bytes | None], None]
OpenSocket = Callable[[str, int], socket.socket]


class _Asking:
    """One question under way."""

    __slots__ = (
        *("asked", "attempt", "done", "id", "incoming", "message", "outgoing"),
        *("query", "servers", "socket", "stream", "unhelpful"),
    )

    def __init__(self, query: Query, data: bytes, servers: tuple[str, ...], done: Done) -> None:
        self.query, self.message, self.servers, self.done = query, data, servers, done
        self.stream = False
        self.attempt, self.id, self.asked = -1, 0, 0.0
        self.socket: socket.socket | None = None
        self.outgoing = self.incoming = b""
        self.unhelpful: bytes | None = None


class Upstream:
    """All questions under way. `open_socket(server, kind)` gives a socket that can reach it."""

    def __init__(self, loop: Loop, open_socket: OpenSocket) -> None:
        self._loop, self._open = loop, open_socket
        self._under_way: set[_Asking] = set()
        loop.every_second(self._tick)

    def ask(
        self, query: Query, data: bytes, servers: tuple[str, ...], *, stream: bool, done: Done
    ) -> None:
        """Ask the servers in order, by TCP where `stream`; `done` gets an answer, or None."""
        if not servers or len(self._under_way) >= _QUERIES:
            done(None)
            return
        asking = _Asking(query, data, servers, done)
        asking.stream = stream
        self._under_way.add(asking)
        self._next(asking)

    def _next(self, asking: _Asking) -> None:
        self._close(asking)
        for attempt in range(asking.attempt + 1, len(asking.servers) * _ROUNDS):
            asking.attempt = attempt
            with contextlib.suppress(OSError):  # unreachable, or out of descriptors
                self._begin(asking, asking.servers[attempt % len(asking.servers)])
                return
            self._close(asking)
        self._end(asking, asking.unhelpful)

    def _begin(self, asking: _Asking, server: str) -> None:
        asking.asked = time.monotonic()
        asking.id = int.from_bytes(os.urandom(2), "big")
        data = message.with_id(asking.message, asking.id)
        kind = socket.SOCK_STREAM if asking.stream else socket.SOCK_DGRAM
        sock = asking.socket = self._open(server, kind)
        if asking.stream:
            asking.outgoing, asking.incoming = len(data).to_bytes(2, "big") + data, b""
            with contextlib.suppress(BlockingIOError):
                sock.connect((server, PORT))
            self._loop.watch(sock.fileno(), WRITE, lambda _: self._write(asking, sock))
        else:
            sock.connect((server, PORT))
            sock.send(data)
            self._loop.watch(sock.fileno(), READ, lambda _: self._datagram(asking, sock))

    def _datagram(self, asking: _Asking, sock: socket.socket) -> None:
        try:
            data = sock.recv(message.LARGEST)
        except BlockingIOError:
            return
        except OSError:  # refused (ICMP)
            self._next(asking)
            return
        if message.answers(data, asking.id, asking.query):
            self._answered(asking, data)

    def _write(self, asking: _Asking, sock: socket.socket) -> None:
        try:
            asking.outgoing = asking.outgoing[sock.send(asking.outgoing) :]
        except OSError:
            self._next(asking)
            return
        if not asking.outgoing:
            self._loop.watch(sock.fileno(), READ, lambda _: self._read(asking, sock))

    def _read(self, asking: _Asking, sock: socket.socket) -> None:
        try:
            data = sock.recv(message.LARGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        asking.incoming += data
        size = 2 + int.from_bytes(asking.incoming[:2], "big")
        if len(asking.incoming) >= max(size, 2 + message.HEADER):
            answer = asking.incoming[2:size]
            if message.answers(answer, asking.id, asking.query):
                self._answered(asking, answer)
                return
            data = b""
        if not data:
            self._next(asking)

    def _answered(self, asking: _Asking, data: bytes) -> None:
        if message.code_of(data) in _UNHELPFUL:
            asking.unhelpful = data
            self._next(asking)
        else:
            self._end(asking, data)

    def _end(self, asking: _Asking, data: bytes | None) -> None:
        self._close(asking)
        self._under_way.discard(asking)
        asking.done(None if data is None else message.with_id(data, asking.query.id))

    def _close(self, asking: _Asking) -> None:
        if asking.socket is not None:
            self._loop.forget(asking.socket.fileno())
            asking.socket.close()
            asking.socket = None

    def _tick(self, now: float) -> None:
        for asking in list(self._under_way):
            if now - asking.asked > PATIENCE * (1 + asking.stream):
                self._next(asking)
