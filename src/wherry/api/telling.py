"""Work that tells how it goes through a callback, as an iterator of what it told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def told(work: Callable[[Callable[[T], None]], Awaitable[object]]) -> AsyncIterator[T]:
    """Run the work; yield each thing as it is told. Raises what the work raises.

    Whoever stops iterating cancels the work. The callback is for the loop's own thread.
    """
    queue: asyncio.Queue[T | None] = asyncio.Queue()
    task = asyncio.ensure_future(work(queue.put_nowait))
    task.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while (thing := await queue.get()) is not None:
            yield thing
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
