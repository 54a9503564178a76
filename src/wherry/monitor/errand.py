"""Children of the monitor that do the work which touches much memory.

Whatever Python code runs in a forked process makes pages its own (reference counts): making a
container costs 3 MB that way. In a child those go away with it, and a monitor that waits stays
near 1 MB. The container's processes become the monitor's own children all the same, since it is
the nearest subreaper.

A child may be made before there is something to do: it waits for its orders, and the time that a
fork takes has passed when they come.
"""

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Sequence
from typing import NoReturn

from wherry.kit.errors import Internal, WherryError
from wherry.linux.process import close_all_except
from wherry.monitor import failure
from wherry.monitor.framing import Decoder, Fields, Frame, receive, send_blocking

Result = tuple[Fields, Sequence[int]]
"""What goes back: fields, and descriptors to be passed."""


class _End:
    """One end of the socket, read with patience."""

    __slots__ = ("_came", "_decoder", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._decoder = Decoder()
        self._came: list[Frame] = []

    def next(self) -> Frame | None:
        """Wait for a frame; None where the other side has closed. Raises OSError."""
        while not self._came:
            frames = receive(self.sock, self._decoder)
            if frames is None:
                return None
            self._came += frames
        return self._came.pop(0)

    def close(self) -> None:
        """Close it, and descriptors that came and were not taken."""
        for frame in self._came:
            for fd in frame.fds:
                os.close(fd)
        self._came.clear()
        self._decoder.close()
        self.sock.close()


class Orders:
    """The child's end of the socket."""

    __slots__ = ("_end",)

    def __init__(self, sock: socket.socket) -> None:
        self._end = _End(sock)

    def next(self) -> Frame | None:
        """Wait for the next order; None where there will be none: the monitor is gone."""
        return self._end.next()

    def answer(self, fields: Fields, fds: Sequence[int] = ()) -> None:
        """One frame back. Nobody there to take it is no error."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            send_blocking(self._end.sock, fields, fds)


class Errand:
    """A child and the socket to it; what it sends are results, or the error that it met."""

    __slots__ = ("_end", "pid")

    def __init__(self, work: Callable[[Orders], None], keep: Sequence[int] = ()) -> None:
        """Fork it; `keep` are descriptors that it needs. Raises OSError."""
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            _run(work, theirs, keep)
        theirs.close()
        self._end = _End(ours)
        self.pid = pid

    def order(self, fields: Fields, fds: Sequence[int] = ()) -> bool:
        """Tell it something. Whether it lives to hear it; where not, `result` says so too."""
        try:
            send_blocking(self._end.sock, fields, fds)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def result(self) -> Frame:
        """Wait for the next frame. Raises the error that the child met, Internal if it died."""
        try:
            frame = self._end.next()
        except OSError as error:
            raise Internal(f"the monitor's child {self.pid}: {error.strerror}") from error
        if frame is None:
            raise Internal(f"the monitor's child {self.pid} died at its work")
        if "error" in frame.fields:
            raise failure.from_fields(frame.fields["error"])
        return frame

    def close(self) -> None:
        """End a child that waits; SIGCHLD's handler reaps it."""
        self._end.close()


def run(work: Callable[[], Result], keep: Sequence[int] = ()) -> Frame:
    """Do the work in a child and wait for its result."""
    errand = Errand(lambda orders: orders.answer(*work()), keep)
    try:
        return errand.result()
    finally:
        errand.close()


def _run(work: Callable[[Orders], None], sock: socket.socket, keep: Sequence[int]) -> NoReturn:
    """The child holds nothing else of the monitor's: a client's socket would stay open with it."""
    try:
        signal.set_wakeup_fd(-1)
        close_all_except([0, 1, 2, sock.fileno(), *keep])
        _work(work, Orders(sock))
    finally:
        os._exit(0)


def _work(work: Callable[[Orders], None], orders: Orders) -> None:
    try:
        work(orders)
    except (WherryError, OSError) as error:
        orders.answer({"error": failure.to_fields(error)})
    except Exception as error:  # a fault of ours: said, not only seen as an end of file
        wrong = Internal(f"the monitor's child: {type(error).__name__}: {error}")
        orders.answer({"error": failure.to_fields(wrong)})
        raise
