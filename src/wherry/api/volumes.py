"""Volumes."""

from typing import Final

from aiohttp import web

from wherry.api.answers import empty, json_answer
from wherry.api.call import Call
from wherry.api.routes import Route
from wherry.dockerapi.volumes import VolumeCreateRequest
from wherry.engine import volumes
from wherry.engine.engine import Engine
from wherry.kit.errors import InvalidInput, Unavailable

_NOTHING: Final = VolumeCreateRequest()


async def list_volumes(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /volumes."""
    return json_answer(await volumes.list_volumes(engine, call.filters()))


async def inspect_volume(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /volumes/{name}."""
    return json_answer(await volumes.inspect(engine, call.name))


async def create_volume(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /volumes/create."""
    asked = await call.json_or_default(VolumeCreateRequest, _NOTHING)
    if asked is _NOTHING:
        raise InvalidInput("got EOF while reading request body")
    return json_answer(await volumes.create(engine, asked), status=201)


async def remove_volume(engine: Engine, call: Call) -> web.StreamResponse:
    """DELETE /volumes/{name}."""
    await volumes.remove(engine, call.name, call.flag("force"))
    return empty()


async def prune_volumes(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /volumes/prune: before API 1.42 also those that have a name."""
    old = call.version < (1, 42)
    return json_answer(await volumes.prune(engine, call.filters(), all_by_default=old))


async def update_volume(_engine: Engine, _call: Call) -> web.StreamResponse:
    """PUT /volumes/{name}: only volumes of a swarm can be changed."""
    raise Unavailable("volume update only valid for cluster volumes, but swarm is unavailable")


ROUTES: Final = [
    Route("GET", "/volumes", list_volumes),
    Route("POST", "/volumes/create", create_volume),
    Route("POST", "/volumes/prune", prune_volumes),
    Route("GET", "/volumes/{name}", inspect_volume),
    Route("PUT", "/volumes/{name}", update_volume),
    Route("DELETE", "/volumes/{name}", remove_volume),
]
