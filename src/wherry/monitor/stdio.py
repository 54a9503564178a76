"""The standard streams of one process: its output to the log and to clients, their input to it.

A client that does not read, or a log that is being compressed, stops the reading of this process's
output; the pipe fills and the process waits, as it would under dockerd. Nothing else waits.
"""

import errno
import os
from collections.abc import Callable

from wherry.monitor.client import Client
from wherry.monitor.log import Log
from wherry.monitor.loop import IN, OUT, Loop

READ = 1 << 16
INPUT_ROOM = 1 << 16
_PTY_RETRY = 0.1
_LAST_READS = 32  # a pipe holds 16 pages unless told otherwise, a terminal one


class Input:
    """The process's stdin: a pipe's write end or the terminal's master."""

    __slots__ = ("_closing", "_fd", "_loop", "_queue", "_room", "_watched")

    def __init__(self, loop: Loop, fd: int, room: Callable[[], None]) -> None:
        os.set_blocking(fd, False)
        self._loop = loop
        self._fd = fd
        self._queue = bytearray()
        self._room = room
        self._closing = self._watched = False

    @property
    def full(self) -> bool:
        """Whether clients should wait."""
        return len(self._queue) >= INPUT_ROOM

    def write(self, data: bytes) -> None:
        """Queue bytes; what nobody can read any more is thrown away."""
        if self._fd >= 0 and not self._closing:
            self._queue += data
            self._flush()

    def close(self) -> None:
        """End of file for the process, once it has got what was written."""
        self._closing = True
        if self._fd >= 0 and not self._queue:
            self._shut()

    def discard(self) -> None:
        """Close at once."""
        self._queue.clear()
        if self._fd >= 0:
            self._shut()

    def _flush(self, _events: int = 0) -> None:
        was_full = self.full
        try:
            while self._queue:
                del self._queue[: os.write(self._fd, self._queue)]
        except BlockingIOError:
            self._watch()
        except OSError:  # EPIPE, EIO: the process has closed its stdin
            self.discard()
        else:
            self._unwatch()
            if self._closing:
                self._shut()
        if was_full and not self.full:
            self._room()

    def _watch(self) -> None:
        if not self._watched:
            self._watched = True
            self._loop.watch(self._fd, OUT, self._flush)

    def _unwatch(self) -> None:
        if self._watched:
            self._watched = False
            self._loop.forget(self._fd)

    def _shut(self) -> None:
        self._unwatch()
        os.close(self._fd)
        self._fd = -1


class Stdio:
    """Streams, log and clients of one process."""

    __slots__ = (
        "_clients", "_input", "_log", "_loop", "_on_quiet", "_once", "_outputs", "_paused", "alive",
        "master", "on_detach", "on_empty", "tty",
    )  # fmt: skip

    def __init__(self, loop: Loop, log: Log | None, *, tty: bool, once: bool) -> None:
        self._loop = loop
        self._log = log
        self._once = once
        self._clients: list[Client] = []
        self._outputs: dict[int, int] = {}
        self._input: Input | None = None
        self._paused = False
        self._on_quiet: Callable[[], None] | None = None
        self.alive = True
        self.tty = tty
        self.master = -1
        self.on_detach: Callable[[str], None] | None = None
        self.on_empty: Callable[[], None] | None = None
        if log is not None:
            log.on_free(self.drained)

    def open(self, outputs: dict[int, int], stdin: int | None) -> None:
        """Take over the descriptors: output fd → stream number, and the writing end of stdin."""
        self._outputs = outputs
        for fd in outputs:
            os.set_blocking(fd, False)
            self._watch(fd)
        if stdin is not None:
            self._input = Input(self._loop, stdin, self._input_room)

    def open_terminal(self, master: int, *, stdin: bool) -> None:
        """Take over a terminal's master."""
        self.master = master
        self.open({master: 1}, os.dup(master) if stdin else None)

    def join(self, client: Client) -> None:
        """Add a client whose `joined` is this."""
        self._clients.append(client)
        client.open()

    @property
    def has_clients(self) -> bool:
        """Whether someone is still attached."""
        return bool(self._clients)

    def ended(self) -> None:
        """The process is gone: take what its pipes still hold, whoever is behind."""
        self.alive = False
        self._resume()
        for fd in list(self._outputs):
            for _ in range(_LAST_READS):  # another process may hold the pipe and write for ever
                if fd not in self._outputs or not self._read(fd):
                    break

    def when_quiet(self, seconds: float, call: Callable[[], None]) -> None:
        """Call once no more output can come, or after some seconds."""
        if not self._outputs:
            call()
            return
        timer = self._loop.later(seconds, call)

        def quiet() -> None:
            timer.cancelled = True
            call()

        self._on_quiet = quiet

    def finish_output(self) -> None:
        """No more output: the log gets its last line."""
        self._on_quiet = None
        for fd in list(self._outputs):
            self._close_output(fd)
        if self._input:
            self._input.discard()
        if self._log:
            self._log.finish()

    def finish_clients(self) -> None:
        """Each client gets what is queued, then the end."""
        for client in list(self._clients):
            client.finish()

    def drop_clients(self) -> None:
        """Give up on clients that do not read."""
        for client in list(self._clients):
            client.drop()

    # what a client asks of the process it is joined to

    def input(self, data: bytes) -> None:
        """See Joined."""
        if self._input:
            self._input.write(data)

    def input_full(self) -> bool:
        """See Joined."""
        return self._input is not None and self._input.full

    def input_ended(self, client: Client) -> None:
        """Close stdin where it was opened for one client, else let this client go (dockerd's way).

        A process without stdin does not care.
        """
        if self._input is None:
            return
        if self._once and not self.tty:
            self._input.close()
        else:
            client.finish()

    def input_lost(self) -> None:
        """See Joined."""
        if self._input and self._once and not self.tty:
            self._input.close()

    def pending(self, stream: int) -> bytes:
        """See Joined."""
        return self._log.pending(stream) if self._log else b""

    def drained(self) -> None:
        """A client has caught up or the log is free: read on, if that was the last to wait for."""
        if self._paused and not self._must_wait():
            self._resume()

    def detached(self, client: Client) -> None:
        """See Joined."""
        if self.on_detach:
            self.on_detach(client.attach_id)

    def left(self, client: Client) -> None:
        """See Joined."""
        if client in self._clients:
            self._clients.remove(client)
        self.drained()
        if not self._clients and self.on_empty:
            self.on_empty()

    # reading

    def _watch(self, fd: int) -> None:
        if not self._loop.watches(fd):
            self._loop.watch(fd, IN, lambda _events: self._readable(fd))

    def _resume(self) -> None:
        self._paused = False
        for fd in self._outputs:
            self._watch(fd)

    def _readable(self, fd: int) -> None:
        self._read(fd)
        if self.alive and not self._paused and self._must_wait():
            self._paused = True
            for output in self._outputs:
                self._loop.forget(output)

    def _must_wait(self) -> bool:
        return (self._log is not None and self._log.busy) or any(
            client.full for client in self._clients
        )

    def _read(self, fd: int) -> bool:
        """Read once; False when there is nothing now."""
        try:
            data = os.read(fd, READ)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return self._terminal_unused(fd)
        if not data:
            self._close_output(fd)
            return False
        self._deliver(self._outputs[fd], data)
        return True

    def _terminal_unused(self, fd: int) -> bool:
        """EIO: no process has the terminal open; one may open it again while the first lives."""
        self._loop.forget(fd)
        if self.alive:
            self._loop.later(_PTY_RETRY, lambda: self._retry(fd))
        else:
            self._close_output(fd)
        return False

    def _retry(self, fd: int) -> None:
        if fd in self._outputs and not self._paused:
            self._watch(fd)

    def _deliver(self, stream: int, data: bytes) -> None:
        if self._log is not None:
            self._log.write(stream, data)
        for client in list(self._clients):
            client.output(stream, data)

    def _close_output(self, fd: int) -> None:
        self._loop.forget(fd)
        del self._outputs[fd]
        os.close(fd)
        if fd == self.master:
            self.master = -1
        if not self._outputs and self._on_quiet:
            self._on_quiet()

    def _input_room(self) -> None:
        for client in list(self._clients):
            client.room()
