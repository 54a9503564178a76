"""One attached client: its own socket, handed over by the daemon.

Sends output (in Docker's eight-byte frames or raw), reads input, notices the detach keys. Whether
bytes can be sent is asked with MSG_DONTWAIT: O_NONBLOCK would belong to the daemon's copy as well.
"""

import contextlib
import os
import socket
import struct
from typing import Protocol

from wherry.monitor.detachkeys import Detector, parse
from wherry.monitor.loop import GONE, IN, OUT, Loop
from wherry.monitor.protocol import AttachOptions
from wherry.monitor.replay import Replay

ROOM = 128 << 10
"""Bytes a client may be behind before it holds up its container."""
_READ = 1 << 16
_DRAIN = 64
_FRAME = struct.Struct(">BxxxI")


class Joined(Protocol):
    """The process a client is joined to."""

    @property
    def tty(self) -> bool: ...

    def input(self, data: bytes) -> None:
        """Bytes for the process's stdin."""

    def input_full(self) -> bool:
        """Whether stdin takes no more for now; `Client.room` is called when it does again."""

    def input_ended(self, client: "Client") -> None:
        """The client has closed its sending side."""

    def input_lost(self) -> None:
        """A client that could send has gone without closing its sending side first."""

    def pending(self, stream: int) -> bytes:
        """Output that is neither in the log nor will come again."""

    def drained(self) -> None:
        """The client has caught up."""

    def detached(self, client: "Client") -> None:
        """The detach keys were typed; the socket is still open."""

    def left(self, client: "Client") -> None:
        """The client's socket is closed."""


class Client:
    """Output in, socket out; socket in, input out."""

    __slots__ = (
        "_detector", "_ending", "_eof", "_events", "_frame", "_joined", "_loop", "_options",
        "_parked", "_queue", "_replay", "_sock", "attach_id",
    )  # fmt: skip

    def __init__(
        self, loop: Loop, sock: socket.socket, options: AttachOptions, joined: Joined,
        attach_id: str = "", replay: Replay | None = None,
    ) -> None:  # fmt: skip
        self._loop = loop
        self._sock = sock
        self._options = options
        self._joined = joined
        self._frame = options.mux
        self._detector = Detector(parse(options.detach_keys)) if joined.tty else None
        self._queue = bytearray()
        self._ending = self._parked = False
        self._eof = not options.stdin
        self._replay = replay
        self._events = 0
        self.attach_id = attach_id

    def open(self) -> None:
        """Begin: watch the socket, pass on what was read with the request's head."""
        self._loop.watch(self._sock.fileno(), 0, self._ready)
        if self._options.leftover and not self._eof:
            self._received(self._options.leftover)
        if self.closed:
            return
        if not self._options.stream and self._replay is None:
            self._ending = True
        self._advance()

    @property
    def full(self) -> bool:
        """Whether the process has to wait for this client."""
        return len(self._queue) >= ROOM and not self._ending

    def output(self, stream: int, data: bytes) -> None:
        """Live output; what comes during a replay is read from the log instead."""
        if self._ending or self._replay is not None:
            return
        self._put(stream, data)
        self._send()

    def room(self) -> None:
        """The process takes input again."""
        if self._parked:
            self._parked = False
            self._events = 0
            self._loop.watch(self._sock.fileno(), 0, self._ready)
        self._arm()

    def finish(self) -> None:
        """Nothing more will come: send what is queued, then close."""
        self._ending = True
        self._advance()
        self._joined.drained()

    def drop(self) -> None:
        """Close at once."""
        if self.closed:
            return
        self._loop.forget(self._sock.fileno())
        if self._replay is not None:
            self._replay.close()
            self._replay = None
        self._close_socket()
        self._queue.clear()
        if not (self._eof or self._ending):
            self._joined.input_lost()
        self._joined.left(self)

    @property
    def closed(self) -> bool:
        """Whether the socket is closed."""
        return self._sock.fileno() < 0

    def _close_socket(self) -> None:
        """End it for the client even while the daemon keeps a copy.

        Input that nobody reads is taken first: to close a unix socket with unread bytes gives the
        client ECONNRESET instead of the end of file (unix_release_sock in the kernel).
        """
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            for _ in range(_DRAIN):
                if not self._sock.recv(_READ, socket.MSG_DONTWAIT):
                    break
        self._sock.close()

    def _put(self, stream: int, data: bytes) -> None:
        wanted = self._options.stdout if stream == 1 else self._options.stderr
        if wanted and data:
            if self._frame:
                self._queue += _FRAME.pack(stream, len(data))
            self._queue += data

    def _ready(self, events: int) -> None:
        if events & IN and not self._eof:
            self._receive()
        if self.closed:
            return
        if events & GONE:
            self._gone()
        elif events & OUT:
            self._advance()

    def _gone(self) -> None:
        """The client has closed; what it sent before is still for the process."""
        if self._eof or not self._joined.input_full():
            if self._eof:
                self.drop()
            return
        self._parked = True  # hang-up cannot be masked: leave the loop until there is room
        self._loop.forget(self._sock.fileno())

    def _receive(self) -> None:
        try:
            data = self._sock.recv(_READ, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            self.drop()
            return
        if data:
            self._received(data)
        else:
            self._eof = True
            self._joined.input_ended(self)
        self._arm()

    def _received(self, data: bytes) -> None:
        detached = False
        if self._detector is not None:
            data, detached = self._detector.feed(data)
        if data:
            self._joined.input(data)
        if detached:
            self._eof = True
            self._joined.detached(self)
            self.finish()

    def _advance(self) -> None:
        """Refill from the log, send, and end if all is done."""
        try:
            if self._replay is not None and len(self._queue) < ROOM:
                self._replay_more(self._replay)
        except OSError:
            self.drop()
            return
        self._send()

    def _replay_more(self, replay: Replay) -> None:
        entries = replay.next()
        for entry in entries:
            self._put(entry.stream, entry.text)
        if not entries:
            replay.close()
            self._replay = None
            if self._options.stream:
                for stream in (1, 2):
                    self._put(stream, self._joined.pending(stream))
            else:
                self._ending = True

    def _send(self) -> None:
        was_full = len(self._queue) >= ROOM
        try:
            while self._queue:
                sent = self._sock.send(self._queue, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
                del self._queue[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self.drop()
            return
        if was_full and len(self._queue) < ROOM:
            self._joined.drained()
        if not self._queue and self._ending and self._replay is None:
            self.drop()
        else:
            self._arm()

    def _arm(self) -> None:
        if self.closed or self._parked:
            return
        events = 0
        if not self._eof and not self._joined.input_full():
            events |= IN
        if self._queue or self._replay is not None:
            events |= OUT
        if events != self._events:
            self._events = events
            self._loop.change(self._sock.fileno(), events)


def take_socket(fd: int) -> socket.socket:
    """The socket object of a descriptor that was passed to us."""
    sock = socket.socket(fileno=fd)
    os.set_inheritable(fd, False)
    return sock
