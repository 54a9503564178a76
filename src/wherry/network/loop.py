"""The network process's event loop: epoll, and a tick each second. Lean where asyncio is not."""

import select
import time
from collections.abc import Callable

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
BROKEN = select.EPOLLERR | select.EPOLLHUP
_TICK = 1.0

Ready = Callable[[int], None]


class Loop:
    """Calls back with the events of a descriptor. Level-triggered."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._ready: dict[int, Ready] = {}
        self._events: dict[int, int] = {}
        self._ticks: list[Callable[[float], None]] = []
        self._stopped = False

    def watch(self, descriptor: int, events: int, ready: Ready) -> None:
        """Call `ready` for these events, until `forget`. No events: not watched for now.

        A descriptor without interest is taken out altogether, since epoll reports a hang-up
        whether it was asked for or not.
        """
        before = self._events.get(descriptor, 0)
        if not events:
            self.forget(descriptor)
            return
        self._ready[descriptor] = ready
        self._events[descriptor] = events
        if not before:
            self._epoll.register(descriptor, events)
        elif before != events:
            self._epoll.modify(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Stop watching; to be called before the descriptor is closed."""
        if self._ready.pop(descriptor, None) is not None:
            del self._events[descriptor]
            self._epoll.unregister(descriptor)

    def every_second(self, tick: Callable[[float], None]) -> None:
        """Call with the monotonic time about once a second."""
        self._ticks.append(tick)

    def stop(self) -> None:
        """Let `run` return."""
        self._stopped = True

    def run(self) -> None:
        """Work until stopped."""
        next_tick = time.monotonic() + _TICK
        while not self._stopped:
            timeout = max(0.0, next_tick - time.monotonic())
            for descriptor, events in self._epoll.poll(timeout):
                ready = self._ready.get(descriptor)
                if ready is not None:
                    ready(events)
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + _TICK
                for tick in self._ticks:
                    tick(time.monotonic())
