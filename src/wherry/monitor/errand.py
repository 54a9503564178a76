"""Short-lived children of the monitor that do the work which touches much memory.

Whatever Python code runs in a forked process makes pages its own (reference counts): making a
container costs 3 MB that way. In a child those go away with it, and a monitor that waits stays
near 1 MB. The container's processes become the monitor's own children all the same, since it is
the nearest subreaper.
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


class Errand:
    """A child and the socket to it; it answers each request with one frame, the first unasked."""

    __slots__ = ("_decoder", "_sock", "pid")

    def __init__(self, work: Callable[[socket.socket], None], keep: Sequence[int] = ()) -> None:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            _run(work, theirs, keep)
        theirs.close()
        self._sock = ours
        self._decoder = Decoder()
        self.pid = pid

    def result(self) -> Frame:
        """Wait for the next frame. Raises the error that the child met, Internal if it died."""
        try:
            frames = receive(self._sock, self._decoder) or []
            while not frames:
                more = receive(self._sock, self._decoder)
                if more is None:
                    raise Internal(f"the monitor's child {self.pid} died at its work")
                frames = more
        except OSError as error:
            raise Internal(f"the monitor's child {self.pid}: {error.strerror}") from error
        if "error" in frames[0].fields:
            raise failure.from_fields(frames[0].fields["error"])
        return frames[0]

    def ask(self) -> Frame:
        """Have a child that waits go on."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            send_blocking(self._sock, {})
        return self.result()

    def close(self) -> None:
        """End a child that waits; SIGCHLD's handler reaps it."""
        self._sock.close()
        self._decoder.close()


def run(work: Callable[[], Result], keep: Sequence[int] = ()) -> Frame:
    """Do the work in a child and wait for it; `keep` are descriptors that it needs."""

    def answered(sock: socket.socket) -> None:
        fields, fds = work()
        send_blocking(sock, fields, fds)

    errand = Errand(answered, keep)
    try:
        return errand.result()
    finally:
        errand.close()
        os.waitpid(errand.pid, 0)


def wait_to_go_on(sock: socket.socket) -> bool:
    """In the child: whether it was asked to (else the monitor is gone, or does not want it)."""
    return bool(sock.recv(1 << 16))


def _run(
    work: Callable[[socket.socket], None], sock: socket.socket, keep: Sequence[int]
) -> NoReturn:
    """The child holds nothing else of the monitor's: a client's socket would stay open with it."""
    try:
        signal.set_wakeup_fd(-1)
        close_all_except([0, 1, 2, sock.fileno(), *keep])
        _work(work, sock)
    finally:
        os._exit(0)


def _work(work: Callable[[socket.socket], None], sock: socket.socket) -> None:
    try:
        work(sock)
    except (WherryError, OSError) as error:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            send_blocking(sock, {"error": failure.to_fields(error)})
