"""_ping, version, info, events and disk usage."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from wherry.api import answers, versions
from wherry.api.answers import json_answer, tree_answer
from wherry.api.call import Call
from wherry.api.closing import closing
from wherry.api.routes import Route
from wherry.dockerapi.events import Event
from wherry.dockerapi.moments import moment
from wherry.dockerapi.version import ApiVersion
from wherry.engine import system
from wherry.engine.engine import Engine
from wherry.kit.errors import InvalidInput

_PING: Final = {
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Pragma": "no-cache",
    "Builder-Version": "1",
    "Swarm": "inactive",
    "Content-Type": "text/plain; charset=utf-8",
}


async def ping(_engine: Engine, call: Call) -> web.StreamResponse:
    """GET and HEAD /_ping: alive, and which API it speaks."""
    body = b"" if call.method == "HEAD" else b"OK"
    headers = answers.COMMON | _PING
    if call.method == "HEAD":
        headers |= {"Content-Length": "0"}
    return web.Response(body=body, headers=headers)


async def version(engine: Engine, _call: Call) -> web.StreamResponse:
    """GET /version."""
    return json_answer(await system.version(engine))


async def info(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /info."""
    return tree_answer(versions.info(await system.info(engine), call.version))


async def disk_usage(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /system/df; since API 1.42 only the kinds that `type` names."""
    kinds = call.texts("type") if call.version >= (1, 42) else ()
    for kind in kinds:
        if kind not in system.MEASURED:
            raise InvalidInput(f"unknown object type: {kind}")
    usage = await system.df(engine, frozenset(kinds) or system.MEASURED)
    return tree_answer(versions.usage(usage, call.version))


async def events(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /events: a JSON object a line until the client goes, or `until` comes."""
    since, until = moment(call.text("since")), moment(call.text("until"))
    if since is not None and until is not None and until < since:
        raise InvalidInput(
            f"`since` time ({call.text('since')}) cannot be after `until` time"
            f" ({call.text('until')})"
        )
    if since is None and until is not None:
        since = 0  # dockerd then tells of all that it remembers
    happened = system.events(engine, since, until, call.filters())
    return await answers.json_lines(call, _known(happened, call.version), end=b"\n", eager=True)


async def _known(happened: AsyncIterator[Event], version: ApiVersion) -> AsyncIterator[Event]:
    """Images have a create event since API 1.46."""
    async with closing(happened):
        async for event in happened:
            if version >= (1, 46) or (event.type, event.action) != ("image", "create"):
                yield event


ROUTES: Final = [
    Route("GET", "/_ping", ping),
    Route("HEAD", "/_ping", ping),
    Route("GET", "/version", version),
    Route("GET", "/info", info),
    Route("GET", "/system/df", disk_usage),
    Route("GET", "/events", events, stops_with_client=True),
]
