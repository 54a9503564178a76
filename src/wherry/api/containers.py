"""Containers: everything that answers once. Streams are in `container_streams`."""

from typing import Final

from aiohttp import web

from wherry.api import old_requests, versions
from wherry.api.answers import empty, json_answer, tree_answer
from wherry.api.call import Call
from wherry.api.routes import Route
from wherry.dockerapi.container_answers import CreateAnswer
from wherry.dockerapi.containers import decode_create
from wherry.dockerapi.host_config import HostConfig
from wherry.engine.containers import attach, create, inspect, lifecycle, links, listing, removal
from wherry.engine.engine import Engine
from wherry.kit.errors import Conflict, InvalidInput

_EMPTY_BODY: Final = 7
"""Bytes that clients may send where no body is wanted (`null`, `{}` with spaces)."""


async def list_containers(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /containers/json."""
    found = await listing.list_containers(
        engine,
        call.flag("all"),
        call.integer("limit") or 0,
        call.flag("size"),
        call.filters(),
    )
    return tree_answer(versions.summaries(found, call.version))


async def inspect_container(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /containers/{name}/json."""
    found = await inspect.inspect(engine, call.name, call.flag("size"))
    return tree_answer(versions.container(found, call.version))


async def create_container(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /containers/create."""
    body = await call.body()
    call.check_json(body)
    request, warnings = old_requests.create(decode_create(body), call.version)
    platform = call.text("platform") if call.version >= (1, 41) else ""
    made = await create.create(
        engine,
        call.text("name") or None,
        request,
        platform or None,
        recursive_readonly=call.version >= (1, 44),
    )
    return json_answer(CreateAnswer(made.id, (*made.warnings, *warnings)), status=201)


async def start_container(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /containers/{name}/start; 304 where it runs already."""
    body = await call.body()
    if len(body) > _EMPTY_BODY:
        if call.version >= (1, 24):
            raise InvalidInput(
                "starting container with non-empty request body was deprecated since API v1.22"
                " and removed in v1.24"
            )
        await call.json(HostConfig)
    started = await lifecycle.start(engine, call.name)
    return empty() if started else empty(304)


def _signal(call: Call) -> str | None:
    return (call.text("signal") or None) if call.version >= (1, 42) else None


async def stop_container(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /containers/{name}/stop; 304 where it does not run."""
    stopped = await lifecycle.stop(engine, call.name, call.integer("t"), _signal(call))
    return empty() if stopped else empty(304)


async def restart_container(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /containers/{name}/restart."""
    await lifecycle.restart(engine, call.name, call.integer("t"), _signal(call))
    return empty()


async def kill_container(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /containers/{name}/kill; before API 1.20 a stopped one is no error."""
    try:
        await lifecycle.kill(engine, call.name, call.text("signal"))
    except Conflict:
        if call.version >= (1, 20):
            raise
    return empty()


async def pause_container(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /containers/{name}/pause."""
    await lifecycle.pause(engine, call.name)
    return empty()


async def unpause_container(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /containers/{name}/unpause."""
    await lifecycle.unpause(engine, call.name)
    return empty()


async def rename_container(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /containers/{name}/rename."""
    await lifecycle.rename(engine, call.name, call.text("name"))
    return empty()


async def remove_container(engine: Engine, call: Call) -> web.StreamResponse:
    """DELETE /containers/{name}."""
    if call.flag("link"):
        await links.remove(engine, call.name)
    else:
        await removal.remove(engine, call.name, call.flag("force"), call.flag("v"))
    return empty()


async def resize_container(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /containers/{name}/resize."""
    await attach.resize(engine, call.name, call.required("h"), call.required("w"))
    return empty(200)


ROUTES: Final = [
    Route("GET", "/containers/json", list_containers),
    Route("GET", "/containers/{name}/json", inspect_container),
    Route("POST", "/containers/create", create_container),
    Route("POST", "/containers/{name}/start", start_container),
    Route("POST", "/containers/{name}/stop", stop_container),
    Route("POST", "/containers/{name}/restart", restart_container),
    Route("POST", "/containers/{name}/kill", kill_container),
    Route("POST", "/containers/{name}/pause", pause_container),
    Route("POST", "/containers/{name}/unpause", unpause_container),
    Route("POST", "/containers/{name}/rename", rename_container),
    Route("POST", "/containers/{name}/resize", resize_container),
    Route("DELETE", "/containers/{name}", remove_container),
]
