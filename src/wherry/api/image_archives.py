"""Images as archives: load, save, import."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from aiohttp import web

from wherry.api import answers
from wherry.api.call import Call
from wherry.api.platforms import check_offered, wanted_platform
from wherry.api.routes import Route
from wherry.engine.engine import Engine
from wherry.engine.images import archives
from wherry.engine.images import import_ as importing
from wherry.engine.images.inspect import inspect
from wherry.kit.errors import Unsupported
from wherry.oci import platform as platforms


class Said(msgspec.Struct, frozen=True):
    """A text for the person who waits."""

    stream: str


class Status(msgspec.Struct, frozen=True):
    """What has come out."""

    status: str


def uploaded(call: Call) -> AsyncIterator[bytes]:
    """The body as it arrives."""
    assert call.request is not None
    return call.request.content.iter_any()


async def load_images(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /images/load."""
    wanted = wanted_platform(call, since=48)
    if wanted is not None and not platforms.matches(engine.settings.platform, wanted):
        raise Unsupported(f"images for {wanted} cannot be loaded on {engine.settings.platform}")
    return await answers.json_lines(call, _loading(engine, call), eager=True)


async def _loading(engine: Engine, call: Call) -> AsyncIterator[Said]:
    lines: asyncio.Queue[Said | None] = asyncio.Queue()
    work = asyncio.ensure_future(
        archives.load(engine, uploaded(call), lambda line: lines.put_nowait(Said(line)))
    )
    work.add_done_callback(lambda _: lines.put_nowait(None))
    try:
        while (said := await lines.get()) is not None:
            yield said
        await work
    finally:
        work.cancel()


async def save_image(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /images/{name}/get."""
    return await _save(engine, call, [call.name])


async def save_images(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /images/get."""
    return await _save(engine, call, [name for name in call.texts("names") if name])


async def _save(engine: Engine, call: Call, names: list[str]) -> web.StreamResponse:
    wanted = wanted_platform(call, since=48)
    if wanted is not None:
        for name in names:
            check_offered(name, wanted, await inspect(engine, name))
    return await answers.stream(call, archives.save(engine, names), answers.TAR)


async def import_image(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /images/create?fromSrc=-: the body is a tar of a root file system."""
    if call.text("fromSrc") != "-":
        raise Unsupported(
            "import from a URL is not offered: fetch the file and import it from the body (-)"
        )
    what = importing.wanted(
        call.text("repo"),
        call.text("tag"),
        call.text("message"),
        list(call.texts("changes")),
        call.text("platform") if call.version >= (1, 32) else "",
        engine.settings.platform,
    )
    return await answers.json_lines(call, _importing(engine, call, what))


async def _importing(engine: Engine, call: Call, what: importing.Wanted) -> AsyncIterator[Status]:
    record = await importing.import_image(engine, uploaded(call), what)
    yield Status(record.id)


ROUTES: Final = [
    Route("POST", "/images/load", load_images, stops_with_client=True),
    Route("GET", "/images/get", save_images, stops_with_client=True),
    Route("GET", "/images/{name}/get", save_image, stops_with_client=True),
]
