"""Events: what happened, told to everyone who listens, and kept for those who ask later.

An event is written in the same transaction as the change it tells of (`journal`), and published
only after that, so nobody hears of something that a crash then takes back.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import msgspec

from wherry.kit import clock

QUEUE_LIMIT = 10_000
"""Events a listener may lag behind before it is cut off (it can replay from the ledger)."""


class Event(msgspec.Struct, frozen=True):
    """`time` is in nanoseconds since the epoch; `id` names the object, `attributes` describe it."""

    type: str
    action: str
    id: str
    attributes: dict[str, str]
    time: int


def event(type: str, action: str, id: str, attributes: dict[str, str] | None = None) -> Event:
    """An event of this moment."""
    return Event(type, action, id, attributes or {}, clock.now())


class EventBus:
    """Fan-out to listeners in this process."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[Event | None]] = set()

    def publish(self, events: Iterable[Event]) -> None:
        """Tell all listeners. Never blocks: who lags too far is cut off."""
        for happened in events:
            for queue in tuple(self._listeners):
                if queue.qsize() >= QUEUE_LIMIT:
                    self._listeners.discard(queue)
                    queue.put_nowait(None)
                else:
                    queue.put_nowait(happened)

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    async def listen(
        self, replay: Callable[[], Awaitable[Iterable[Event]]], until: int | None = None
    ) -> AsyncIterator[Event]:
        """Past events from `replay`, then new ones up to `until` (ns), each exactly once.

        The queue is registered before the past is read; what is in both is told once. Ends when
        the listener lags, the time has come, or the bus closes.
        """
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            told = set()
            for past in await replay():
                told.add(_identity(past))
                yield past
            while (happened := await _next(queue, until)) is not None:
                if _identity(happened) not in told:
                    yield happened
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        """End every listener's stream."""
        for queue in self._listeners:
            queue.put_nowait(None)
        self._listeners.clear()


async def _next(queue: asyncio.Queue[Event | None], until: int | None) -> Event | None:
    if until is None:
        return await queue.get()
    left = (until - clock.now()) / clock.SECOND
    try:
        return await asyncio.wait_for(queue.get(), max(0.0, left))
    except TimeoutError:
        return None


def _identity(happened: Event) -> tuple[int, str, str, str]:
    return (happened.time, happened.type, happened.action, happened.id)
