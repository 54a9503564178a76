"""Containers seen from outside: what changed, what runs, what it uses."""

from typing import Final

from aiohttp import web

from wherry.api import answers
from wherry.api.answers import json_answer
from wherry.api.call import Call
from wherry.api.routes import Route
from wherry.engine.containers import changes as differences
from wherry.engine.engine import Engine


async def container_changes(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /containers/{name}/changes."""
    return json_answer(await differences.changes(engine, call.name) or None)


async def export_container(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /containers/{name}/export: a tar of the whole root file system."""
    pieces = await differences.export(engine, call.name)
    return await answers.stream(call, pieces, "application/octet-stream")


ROUTES: Final = [
    Route("GET", "/containers/{name}/changes", container_changes),
    Route("GET", "/containers/{name}/export", export_container, stops_with_client=True),
]
