import asyncio
from collections.abc import Callable

import pytest

from wherry.api.telling import told
from wherry.kit.errors import NotFound

Tell = Callable[[str], None]


async def test_what_is_told_is_yielded_in_order() -> None:
    async def work(tell: Tell) -> None:
        for word in ("a", "b"):
            tell(word)
            await asyncio.sleep(0)

    assert [word async for word in told(work)] == ["a", "b"]


async def test_an_error_comes_after_what_was_told() -> None:
    async def work(tell: Tell) -> None:
        tell("a")
        raise NotFound("gone")

    heard = []
    with pytest.raises(NotFound, match="gone"):
        async for word in told(work):
            heard.append(word)  # noqa: PERF401 - what comes before the error counts
    assert heard == ["a"]


async def test_who_stops_listening_stops_the_work() -> None:
    ended = asyncio.Event()

    async def work(tell: Tell) -> None:
        try:
            tell("a")
            await asyncio.sleep(60)
        finally:
            ended.set()

    words = told(work)
    assert await anext(words) == "a"
    await words.aclose()  # type: ignore[attr-defined]
    assert ended.is_set()
