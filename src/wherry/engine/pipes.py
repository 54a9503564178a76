"""Between asyncio and blocking code that reads or writes a stream: a kernel pipe.

The pipe gives back-pressure both ways and ends well: whoever goes away first closes its end, and
the other sees the end of file or EPIPE.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import BinaryIO, TypeVar

from wherry.engine.lanes import Lanes

T = TypeVar("T")
SIZE = 1 << 20
CHUNK = 256 << 10


def _pipe() -> tuple[int, int]:
    reading, writing = os.pipe2(os.O_CLOEXEC)
    with contextlib.suppress(PermissionError):  # above the user's pipe quota: smaller will do
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, SIZE)
    return reading, writing


async def consume(lanes: Lanes, chunks: AsyncIterator[bytes], call: Callable[[BinaryIO], T]) -> T:
    """Run blocking `call` on a file that delivers the chunks.

    Raises what `call` raises, or what the chunks' iterator raised (a client that left).
    """
    reading, writing = _pipe()

    def work() -> T:
        with open(reading, "rb", buffering=0) as file:
            return call(file)

    feeding = asyncio.create_task(_feed(chunks, writing))
    try:
        result = await lanes.long(work)
    except BaseException:
        feeding.cancel()
        source_error = await _failure_of(feeding)
        if source_error is not None:
            raise source_error from None
        raise
    feeding.cancel()
    source_error = await _failure_of(feeding)
    if source_error is not None:
        raise source_error
    return result


async def _failure_of(task: asyncio.Task[None]) -> BaseException | None:
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcome, asyncio.CancelledError | BrokenPipeError | ConnectionResetError):
        return None
    return outcome


async def _feed(chunks: AsyncIterator[bytes], writing: int) -> None:
    loop = asyncio.get_running_loop()
    file = open(writing, "wb", buffering=0)  # noqa: SIM115 - the transport closes it
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, file)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    try:
        async for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
    finally:
        writer.close()


async def iterate(lanes: Lanes, make: Callable[[], Iterator[bytes]]) -> AsyncIterator[bytes]:
    """The pieces of a blocking generator, the next one made while the last one is sent.

    The pieces are handed over as they are: no pipe, no copy. Raises what the generator raises.
    """
    pieces = await lanes.long(make)
    coming = asyncio.ensure_future(lanes.long(next, pieces, b""))
    try:
        while piece := await coming:
            coming = asyncio.ensure_future(lanes.long(next, pieces, b""))
            yield piece
    finally:
        await asyncio.gather(coming, return_exceptions=True)
        close = getattr(pieces, "close", None)
        if close is not None:
            await lanes.long(close)


Runner = Callable[[Callable[[], None]], Awaitable[None]]
"""Runs blocking code somewhere: a lane, or a thread of its own."""


async def produce(run: Runner, call: Callable[[BinaryIO], None]) -> AsyncGenerator[bytes, None]:
    """What blocking `call` writes into its file, in pieces. Raises what `call` raises."""
    reading, writing = _pipe()

    def work() -> None:
        with open(writing, "wb", buffering=CHUNK) as file:
            call(file)

    working = asyncio.ensure_future(run(work))
    loop = asyncio.get_running_loop()
    stream = asyncio.StreamReader(limit=SIZE, loop=loop)
    file = open(reading, "rb", buffering=0)  # noqa: SIM115 - the transport closes it
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream, loop=loop), file
    )
    try:
        while chunk := await stream.read(CHUNK):
            yield chunk
        await working
    finally:
        transport.close()
        with contextlib.suppress(BrokenPipeError):
            await working
