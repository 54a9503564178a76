"""Streams that end when their reader does.

`async for` leaves a generator suspended where its reader is cancelled; what it holds (a thread, a
descriptor, a listener) would stay until the garbage collector comes by.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


@asynccontextmanager
async def closing(values: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """The iterator; a generator is closed at the end of the block, however it ends."""
    try:
        yield values
    finally:
        if isinstance(values, AsyncGenerator):
            await values.aclose()
