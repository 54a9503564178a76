"""Streams between asyncio and blocking code."""

from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO

import pytest

from wherry.engine import pipes
from wherry.engine.lanes import Lanes


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    made = Lanes()
    yield made
    made.close()


async def chunks(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


async def test_what_is_sent_is_read(lanes: Lanes) -> None:
    big = b"x" * 3_000_000
    total = await pipes.consume(lanes, chunks(b"a", big, b"z"), _count)
    assert total == len(big) + 2


def _count(file: BinaryIO) -> int:
    total = 0
    while data := file.read(1 << 16):
        total += len(data)
    return total


async def test_a_reader_that_stops_early_is_no_error(lanes: Lanes) -> None:
    assert (
        await pipes.consume(lanes, chunks(*[b"x" * 100_000] * 100), lambda file: file.read(3))
        == b"xxx"
    )


async def test_a_failing_reader_is_heard(lanes: Lanes) -> None:
    def fail(file: BinaryIO) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await pipes.consume(lanes, chunks(b"x" * 5_000_000), fail)


async def test_a_failing_sender_is_heard(lanes: Lanes) -> None:
    async def leave() -> AsyncIterator[bytes]:
        yield b"x"
        raise ConnectionAbortedError("the client left")

    with pytest.raises(ConnectionAbortedError, match="the client left"):
        await pipes.consume(lanes, leave(), _count)


async def test_what_is_written_arrives(lanes: Lanes) -> None:
    def work(sink: BinaryIO) -> None:
        for _ in range(50):
            sink.write(b"y" * 100_000)

    total = 0
    async for piece in pipes.produce(lanes.long, work):
        total += len(piece)
    assert total == 5_000_000


async def test_a_failing_writer_is_heard(lanes: Lanes) -> None:
    def work(sink: BinaryIO) -> None:
        sink.write(b"begun")
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        async for _ in pipes.produce(lanes.long, work):
            continue


async def test_a_generator_is_closed_when_its_reader_leaves(lanes: Lanes) -> None:
    closed: list[bool] = []

    def pieces() -> Iterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            closed.append(True)

    stream = pipes.iterate(lanes, pieces)
    assert await anext(stream) == b"x"
    await stream.aclose()  # type: ignore[attr-defined]
    assert closed == [True]
