"""The daemon's end of a monitor's socket (asyncio; part of `handle`)."""

import asyncio
import socket
from collections.abc import Callable, Sequence

from wherry.kit.errors import Corrupt
from wherry.monitor.failure import MonitorGone
from wherry.monitor.framing import Decoder, Frame, Outbox, encode, receive
from wherry.monitor.protocol import Fields


class Wire:
    """Frames on a stream socket, without blocking the loop."""

    def __init__(
        self,
        sock: socket.socket,
        on_frame: Callable[[Frame], None],
        on_closed: Callable[[], None],
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._on_frame = on_frame
        self._on_closed = on_closed
        self._decoder = Decoder()
        self._outbox = Outbox()
        self._loop.add_reader(sock.fileno(), self._readable)

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._sock.fileno() < 0

    def send(self, fields: Fields, fds: Sequence[int] = ()) -> None:
        """Queue a frame; the descriptors are copied. Raises MonitorGone."""
        if self.closed:
            raise MonitorGone("the container's monitor is gone")
        self._outbox.put(encode(fields, fds), fds)
        self._flush()

    def close(self) -> None:
        """Close our side."""
        if not self.closed:
            self._loop.remove_reader(self._sock.fileno())
            self._loop.remove_writer(self._sock.fileno())
            self._sock.close()
            self._outbox.close()
            self._decoder.close()
            self._on_closed()

    def _flush(self) -> None:
        try:
            done = self._outbox.flush(self._sock)
        except OSError:  # the reader sees the end of file too, after what was sent before
            return
        if done:
            self._loop.remove_writer(self._sock.fileno())
        else:
            self._loop.add_writer(self._sock.fileno(), self._flush)

    def _readable(self) -> None:
        try:
            frames = receive(self._sock, self._decoder)
        except BlockingIOError:
            return
        except (OSError, Corrupt):
            frames = None
        if frames is None:
            self.close()
            return
        for frame in frames:
            self._on_frame(frame)
