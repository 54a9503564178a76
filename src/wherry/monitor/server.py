"""The monitor's side of its socket: connections, requests, events."""

import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from wherry.kit.errors import Corrupt, InvalidInput, WherryError
from wherry.monitor import failure
from wherry.monitor.framing import Decoder, Frame, Outbox, encode, receive
from wherry.monitor.loop import GONE, IN, OUT, Loop

Fields = dict[str, Any]
BEHIND = 1 << 20
"""Bytes that a connection may leave unread before it is given up."""


class Answer(Protocol):
    """Sends the reply of a request, now or later."""

    def __call__(self, fields: Fields, fds: Sequence[int] = ()) -> None: ...


Handle = Callable[["Connection", Fields, list[int], Answer], None]
"""Takes descriptors out of the list where it keeps them; the rest is closed."""


class Connection:
    """One daemon (or log reader) that talks to us."""

    __slots__ = ("_decoder", "_handle", "_loop", "_outbox", "_sock", "_watching", "events",
                 "on_closed")  # fmt: skip

    def __init__(self, loop: Loop, sock: socket.socket, handle: Handle) -> None:
        sock.setblocking(False)
        self._loop = loop
        self._sock = sock
        self._handle = handle
        self._decoder = Decoder()
        self._outbox = Outbox()
        self._watching = IN
        self.events = True
        self.on_closed: list[Callable[[], None]] = []
        loop.watch(sock.fileno(), IN, self._ready)

    def send(self, fields: Fields, fds: Sequence[int] = ()) -> None:
        """Queue a frame and send what goes; a connection that is closed takes nothing."""
        if self.closed:
            return
        self._outbox.put(encode(fields, fds), fds)
        self._flush()
        if self._outbox.size > BEHIND:
            self.close()

    @property
    def closed(self) -> bool:
        """Whether the other side is gone."""
        return self._sock.fileno() < 0

    def close(self) -> None:
        """Stop talking."""
        if self.closed:
            return
        self._loop.forget(self._sock.fileno())
        self._sock.close()
        self._outbox.close()
        self._decoder.close()
        for call in self.on_closed:
            call()

    def _ready(self, events: int) -> None:
        if events & IN:
            self._receive()
        elif events & GONE:
            self.close()
        if events & OUT and not self.closed:
            self._flush()

    def _receive(self) -> None:
        try:
            frames = receive(self._sock, self._decoder)
        except BlockingIOError:
            return
        except (OSError, Corrupt):  # ECONNRESET: the daemon was killed
            self.close()
            return
        if frames is None:
            self.close()
            return
        for frame in frames:
            self._handled(frame)

    def _handled(self, frame: Frame) -> None:
        number, passed = frame.fields.get("id"), list(frame.fds)

        def answer(fields: Fields, fds: Sequence[int] = ()) -> None:
            self.send({"id": number, **fields}, fds)

        try:
            self._handle(self, frame.fields, passed, answer)
        except (WherryError, OSError) as error:
            answer({"error": failure.to_fields(error)})
        except (KeyError, TypeError, ValueError) as error:
            wrong = InvalidInput(f"request {frame.fields.get('do')!r}: {error!r}")
            answer({"error": failure.to_fields(wrong)})
        finally:
            for fd in passed:
                os.close(fd)

    def _flush(self) -> None:
        try:
            done = self._outbox.flush(self._sock)
        except OSError:  # EPIPE: the daemon was killed; what it sent before is still wanted by none
            self.close()
            return
        wanted = IN if done else IN | OUT
        if wanted != self._watching:
            self._watching = wanted
            self._loop.change(self._sock.fileno(), wanted)


class Server:
    """The listening socket and all connections."""

    __slots__ = ("_connections", "_handle", "_hello", "_listener", "_loop")

    def __init__(self, loop: Loop, handle: Handle, hello: Callable[[], Fields]) -> None:
        self._loop = loop
        self._handle = handle
        self._hello = hello
        self._connections: list[Connection] = []
        self._listener: socket.socket | None = None

    def listen(self, path: str) -> None:
        """Accept connections on a unix socket; its name may be longer than sun_path."""
        self._listener = bind_long(path)
        self._listener.setblocking(False)
        self._loop.watch(self._listener.fileno(), IN, self._accept)

    def add(self, sock: socket.socket) -> Connection:
        """A further connection."""
        connection = Connection(self._loop, sock, self._handle)
        self._connections.append(connection)
        connection.on_closed.append(lambda: self._connections.remove(connection))
        return connection

    def greet(self, connection: Connection) -> None:
        """The first frame."""
        connection.send({"hello": self._hello()})

    def tell(self, fields: Fields) -> None:
        """An event, for all that want events."""
        for connection in list(self._connections):
            if connection.events:
                connection.send(fields)

    def close(self) -> None:
        """End all connections; what is queued for a slow one is lost (it is in the files)."""
        if self._listener:
            self._loop.forget(self._listener.fileno())
            self._listener.close()
            self._listener = None
        for connection in list(self._connections):
            connection.close()

    def _accept(self, _events: int) -> None:
        if self._listener is None:
            return
        with contextlib.suppress(BlockingIOError, ConnectionError):
            sock, _ = self._listener.accept()
            self.greet(self.add(sock))


def bind_long(path: str) -> socket.socket:
    """A listening unix socket; the folder goes by /proc/self/fd, for names beyond 107 bytes."""
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        sock.listen(64)
    except OSError:
        sock.close()
        raise
    finally:
        os.close(folder)
    os.chmod(path, 0o600)
    return sock


def connect_long(path: str) -> socket.socket:
    """The other side of `bind_long`. Raises OSError."""
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    except OSError:
        sock.close()
        raise
    finally:
        os.close(folder)
    return sock
