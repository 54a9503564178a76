"""DNS over TCP (RFC 7766) from a container: messages with their length in front, in any number."""

import contextlib
import socket
import time
from collections.abc import Callable

from wherry.network.dns import message
from wherry.network.loop import BROKEN, READ, WRITE, Loop

IDLE_SECONDS = 20.0
_CONNECTIONS = 32
_UNSENT = 1 << 18

Reply = Callable[[bytes], None]
Handle = Callable[[bytes, Reply], None]


class _Connection:
    __slots__ = ("incoming", "outgoing", "socket", "used")

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.incoming = self.outgoing = b""
        self.used = time.monotonic()


class StreamServer:
    """A listener and its connections. `handle(message, reply)` answers now, later or never."""

    def __init__(self, loop: Loop, listener: socket.socket, handle: Handle) -> None:
        self._loop, self._listener, self._handle = loop, listener, handle
        self._connections: set[_Connection] = set()
        loop.watch(listener.fileno(), READ, self._accept)

    def _accept(self, _: int) -> None:
        with contextlib.suppress(OSError):  # gone again, or out of descriptors: the client retries
            client, _address = self._listener.accept()
            client.setblocking(False)
            if len(self._connections) >= _CONNECTIONS:
                self._drop(min(self._connections, key=lambda each: each.used))
            connection = _Connection(client)
            self._connections.add(connection)
            self._watch(connection)

    def _watch(self, connection: _Connection) -> None:
        """Who does not take its answers is not read from."""
        wanted = WRITE if connection.outgoing else READ
        self._loop.watch(
            connection.socket.fileno(), wanted, lambda events: self._ready(connection, events)
        )

    def _ready(self, connection: _Connection, events: int) -> None:
        connection.used = time.monotonic()
        try:
            if connection.outgoing and events & (WRITE | BROKEN):
                sent = connection.socket.send(connection.outgoing)
                connection.outgoing = connection.outgoing[sent:]
                self._watch(connection)
            elif events & (READ | BROKEN):
                self._read(connection)
        except BlockingIOError:
            return
        except OSError:
            self._drop(connection)

    def _read(self, connection: _Connection) -> None:
        data = connection.socket.recv(message.LARGEST)
        if not data:
            self._drop(connection)
            return
        connection.incoming += data
        while len(connection.incoming) >= 2:
            end = 2 + int.from_bytes(connection.incoming[:2], "big")
            if len(connection.incoming) < end:
                return
            asked, connection.incoming = connection.incoming[2:end], connection.incoming[end:]
            self._handle(asked, lambda answer: self._reply(connection, answer))

    def _reply(self, connection: _Connection, answer: bytes) -> None:
        if connection not in self._connections:
            return
        connection.outgoing += len(answer).to_bytes(2, "big") + answer
        if len(connection.outgoing) > _UNSENT:
            self._drop(connection)
        else:
            self._watch(connection)

    def _drop(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        self._loop.forget(connection.socket.fileno())
        connection.socket.close()

    def tick(self, now: float) -> None:
        """Forget idle connections."""
        for connection in list(self._connections):
            if now - connection.used > IDLE_SECONDS:
                self._drop(connection)

    def close(self) -> None:
        """Close the listener and every connection."""
        for connection in list(self._connections):
            self._drop(connection)
        self._loop.forget(self._listener.fileno())
        self._listener.close()
