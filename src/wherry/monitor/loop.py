"""An event loop on epoll: descriptors, timers and signals for a single-threaded process."""

import errno
import heapq
import os
import select
import signal
import time
from collections.abc import Callable

IN = select.EPOLLIN
OUT = select.EPOLLOUT
GONE = select.EPOLLHUP | select.EPOLLERR
"""Reported by the kernel whether asked for or not."""

Ready = Callable[[int], None]


class Timer:
    """A call in the future; `cancelled` is set to take it back."""

    __slots__ = ("call", "cancelled")

    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call
        self.cancelled = False


class Loop:
    """Level-triggered callbacks; a callback may watch, change or forget any descriptor."""

    __slots__ = ("_count", "_epoll", "_running", "_timers", "_watched")

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, Ready] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._running = False

    def watch(self, fd: int, events: int, ready: Ready) -> None:
        """Call `ready(events)` whenever the descriptor is; hang-ups are always told."""
        self._epoll.register(fd, events)
        self._watched[fd] = ready

    def watches(self, fd: int) -> bool:
        """Whether the descriptor is watched."""
        return fd in self._watched

    def change(self, fd: int, events: int) -> None:
        """Wait for other events on a watched descriptor."""
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Stop watching (before the descriptor is closed); not watched is fine."""
        if self._watched.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def later(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call once after some seconds."""
        timer = Timer(call)
        self._count += 1
        heapq.heappush(self._timers, (time.monotonic() + seconds, self._count, timer))
        return timer

    def on_signals(self, handlers: dict[int, Callable[[], None]]) -> None:
        """Run a handler in the loop (not in the signal's context) for each signal named.

        Handlers instead of SIG_IGN also for signals without an effect: what is ignored stays
        ignored across exec, and the container's program would inherit it (execve(2)).
        """
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in handlers:
            signal.signal(number, _nothing)

        def arrived(_events: int) -> None:
            for number in set(_drain(reader)):
                if number in handlers:
                    handlers[number]()

        self.watch(reader, IN, arrived)

    def run(self) -> None:
        """Turn until `stop`."""
        self._running = True
        while self._running:
            self._turn()

    def stop(self) -> None:
        """Leave `run` after the present callbacks."""
        self._running = False

    def _turn(self) -> None:
        for fd, events in self._epoll.poll(self._patience()):
            ready = self._watched.get(fd)  # an earlier callback may have forgotten it
            if ready is not None:
                ready(events)
        while self._timers and self._timers[0][0] <= time.monotonic():
            timer = heapq.heappop(self._timers)[2]
            if not timer.cancelled:
                timer.call()

    def _patience(self) -> float | None:
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - time.monotonic())


def _nothing(_number: int, _frame: object) -> None:
    """The wake-up descriptor has carried the number; nothing is left to do here."""


def _drain(fd: int) -> bytes:
    try:
        return os.read(fd, 4096)
    except OSError as error:
        if error.errno != errno.EAGAIN:
            raise
        return b""
