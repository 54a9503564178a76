"""A log reader's connection to the monitor: the files at one instant, then a word of each change.

Blocking; for a worker. `close` from another thread ends a wait.
"""

import contextlib
import os
import socket

from wherry.kit.errors import Corrupt, Unavailable
from wherry.linux import fdpass
from wherry.monitor import failure, files
from wherry.monitor.framing import Decoder, Fields, Frame, send_blocking
from wherry.monitor.protocol import VERSION
from wherry.monitor.segments import LogFiles
from wherry.monitor.server import connect_long


class LiveLog:
    """Opened by `connect`; usable as a `logread.Waiter` through `wait` and `close`."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._decoder = Decoder()
        self._frames: list[Frame] = []
        self._pushed: tuple[int, ...] = ()
        self._last: list[int] | None = None
        self._number = 0
        self._follower = 0
        send_blocking(sock, {"hello": {"version": VERSION, "events": False}})

    def open(self, *, follow: bool) -> LogFiles:
        """The log's files. Raises Unsupported for a container without a log, Unavailable."""
        try:
            frame = self._ask("log_open", {"follow": follow})
        except EOFError as error:
            raise Unavailable("the container's monitor left; read the files instead") from error
        reply = frame.fields["ok"]
        self._follower = int(reply.get("follower", 0))
        return LogFiles(reply["driver"], frame.fds, tuple(reply["compressed"]), reply["size"])

    def wait(self, offset: int) -> int | None:
        """Until the present segment has more than `offset` bytes (None) or was changed.

        Then the next segment's descriptor is returned. Raises EOFError when all is read.
        """
        try:
            if self._last is None:
                frame = self._ask("log_wait", {"follower": self._follower, "offset": offset})
                return frame.fds[0] if frame.fds else None
        except EOFError:  # also if the monitor was killed: then there is only what is in the file
            self._last = list(self._pushed)
        if not self._last:
            raise EOFError("the container has ended")
        return self._last.pop(0)

    def close(self) -> None:
        """Hang up."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:  # the monitor has left before
            return
        finally:
            self._sock.close()

    def _ask(self, what: str, fields: Fields) -> Frame:
        self._number += 1
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            # what it sent before it left is still to be read
            send_blocking(self._sock, {"id": self._number, "do": what, **fields})
        while True:
            frame = self._receive()
            if frame.fields.get("event") == "log_end":
                self._pushed = frame.fds
                raise EOFError("the container has ended")
            if frame.fields.get("id") == self._number:
                break
        if "error" in frame.fields:
            raise failure.from_fields(frame.fields["error"])
        return frame

    def _receive(self) -> Frame:
        while not self._frames:
            try:
                data, fds = fdpass.receive(self._sock)
            except OSError as error:
                raise EOFError(f"the monitor's socket: {error.strerror}") from error
            if not data:
                raise EOFError("the monitor has left")
            try:
                self._frames = self._decoder.feed(data, fds)
            except Corrupt as error:
                raise EOFError(str(error)) from error
        return self._frames.pop(0)


def connect(exec_dir: str) -> LiveLog | None:
    """None where no monitor listens: then nobody writes, and the files can simply be opened."""
    if not os.path.exists(files.socket_path(exec_dir)):
        return None
    try:
        return LiveLog(connect_long(files.socket_path(exec_dir)))
    except (FileNotFoundError, ConnectionError):
        return None
