"""Two TCP connections as one: bytes are moved by splice(2) and never reach Python.

A direction borrows a pipe while it has bytes in flight, so an idle connection costs two
descriptors. An end of stream is passed on as such (half-close), a reset as a reset.
"""

import contextlib
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable

from wherry.network.loop import BROKEN, READ, WRITE, Loop

_CHUNK = 1 << 20
_ROUNDS = 8
"""Chunks a direction may move before others get their turn."""
_SPARE_PIPES = 16
_F_SETPIPE_SZ = 1031
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes close() send a reset."""
_FLAGS = 1 | 2  # SPLICE_F_MOVE | SPLICE_F_NONBLOCK

Pipe = tuple[int, int]
_spare: list[Pipe] = []


def _borrow() -> Pipe:
    if _spare:
        return _spare.pop()
    pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    for size in (_CHUNK, _CHUNK // 8):
        # a plain user may hold 64 MB in large pipes (pipe-user-pages-soft); the small one works too
        with contextlib.suppress(PermissionError):
            fcntl.fcntl(pipe[1], _F_SETPIPE_SZ, size)
            break
    return pipe


def _give_back(pipe: Pipe, *, empty: bool) -> None:
    if empty and len(_spare) < _SPARE_PIPES:
        _spare.append(pipe)
        return
    for descriptor in pipe:
        os.close(descriptor)


class _Direction:
    """Bytes from one socket to the other."""

    __slots__ = ("buffered", "ended", "pipe", "source", "target")

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self.source, self.target = source, target
        self.pipe: Pipe | None = None
        self.buffered = 0
        self.ended = False

    def pump(self) -> None:
        """Move what can be moved. Raises OSError when a side is broken."""
        if self.pipe is None:
            self.pipe = _borrow()
        with contextlib.suppress(BlockingIOError):
            for _ in range(_ROUNDS):
                if self.buffered == 0 and not self._fill(self.pipe[1]):
                    break
                self._drain(self.pipe[0])
        if self.buffered == 0:
            self.release()

    def _fill(self, pipe: int) -> bool:
        if self.ended:
            return False
        self.buffered = os.splice(self.source.fileno(), pipe, _CHUNK, flags=_FLAGS)
        if self.buffered == 0:
            self.ended = True
            self.target.shutdown(socket.SHUT_WR)
        return self.buffered > 0

    def _drain(self, pipe: int) -> None:
        while self.buffered:
            self.buffered -= os.splice(pipe, self.target.fileno(), self.buffered, flags=_FLAGS)

    def release(self) -> None:
        """Give the pipe back."""
        if self.pipe is not None:
            _give_back(self.pipe, empty=self.buffered == 0)
            self.pipe = None

    @property
    def reads(self) -> bool:
        """Waits for the source."""
        return not self.ended and self.buffered == 0


class Relay:
    """A client's accepted connection, and one to its target that is being made."""

    __slots__ = ("_client", "_down", "_finished", "_loop", "_server", "_up")

    def __init__(
        self,
        loop: Loop,
        client: socket.socket,
        server: socket.socket,
        target: tuple[str, int],
        finished: Callable[["Relay"], None],
    ) -> None:
        """Begin to connect `server` (fresh, not blocking) to the target."""
        self._loop, self._client, self._server, self._finished = loop, client, server, finished
        self._up = _Direction(client, server)
        self._down = _Direction(server, client)
        for sock in (client, server):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = server.connect_ex(target)
        if code not in (0, errno.EINPROGRESS):
            self.abort()
            return
        loop.watch(server.fileno(), WRITE, self._connected)

    def _connected(self, _: int) -> None:
        if self._server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.abort()
            return
        self._pump(self._up, self._down)

    def _client_ready(self, events: int) -> None:
        self._ready(events, self._up, self._down)

    def _server_ready(self, events: int) -> None:
        self._ready(events, self._down, self._up)

    def _ready(self, events: int, out: _Direction, into: _Direction) -> None:
        broken = events & BROKEN
        wanted = [out] if events & READ or broken else []
        if (events & WRITE or broken) and into.buffered:
            wanted.append(into)
        self._pump(*wanted)

    def _pump(self, *directions: _Direction) -> None:
        try:
            for direction in directions:
                direction.pump()
        except OSError:
            self.abort()
            return
        if self._up.ended and self._down.ended:
            self.close()
            return
        self._watch()

    def _watch(self) -> None:
        up, down = self._up, self._down
        client = READ * up.reads | WRITE * bool(down.buffered)
        server = READ * down.reads | WRITE * bool(up.buffered)
        self._loop.watch(self._client.fileno(), client, self._client_ready)
        self._loop.watch(self._server.fileno(), server, self._server_ready)

    def abort(self) -> None:
        """End with a reset, so that the client learns that bytes may be lost."""
        for sock in (self._client, self._server):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.close()

    def close(self) -> None:
        """End; may be repeated."""
        if self._client.fileno() < 0:
            return
        for direction in (self._up, self._down):
            direction.release()
        for sock in (self._client, self._server):
            self._loop.forget(sock.fileno())
            sock.close()
        self._finished(self)
