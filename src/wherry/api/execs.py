"""Processes in running containers."""

from typing import Final

from aiohttp import web
from msgspec.structs import replace

from wherry.api import answers
from wherry.api.answers import empty, json_answer
from wherry.api.call import Call
from wherry.api.hijack import Hijacked
from wherry.api.routes import HijackRoute, Route
from wherry.dockerapi.execs import ExecCreateRequest, ExecStartRequest
from wherry.dockerapi.images import ImageId
from wherry.engine.engine import Engine
from wherry.engine.execs import use
from wherry.kit.errors import InvalidInput


async def create_exec(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /containers/{name}/exec."""
    asked = await call.json(ExecCreateRequest)
    if not asked.cmd:
        raise InvalidInput("No exec command specified")
    if call.version < (1, 42):
        asked = replace(asked, console_size=(0, 0))
    return json_answer(ImageId(await use.create(engine, call.name, asked)), status=201)


async def start_exec(engine: Engine, call: Call, hijacked: Hijacked) -> None:
    """POST /exec/{name}/start: over the connection itself, or detached."""
    asked = await (
        call.json(ExecStartRequest)
        if call.version > (1, 21)
        else call.json_or_default(ExecStartRequest, ExecStartRequest())
    )
    if asked.tty and asked.detach and any(asked.console_size):
        asked = replace(asked, console_size=(0, 0))
    if any(asked.console_size) and not asked.tty:
        asked = replace(asked, console_size=(0, 0))
    if call.version < (1, 42):
        asked = replace(asked, console_size=(0, 0))
    if asked.detach:
        await use.start(engine, call.name, asked, None)
        await hijacked.answer("200 OK", answers.JSON, b"")
    else:
        await use.start(engine, call.name, asked, hijacked)


async def resize_exec(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /exec/{name}/resize."""
    await use.resize(engine, call.name, call.required("h"), call.required("w"))
    return empty(200)


async def inspect_exec(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /exec/{name}/json."""
    return json_answer(await use.inspect(engine, call.name))


ROUTES: Final = [
    Route("POST", "/containers/{name}/exec", create_exec),
    Route("POST", "/exec/{name}/resize", resize_exec),
    Route("GET", "/exec/{name}/json", inspect_exec),
]
HIJACK_ROUTES: Final = [
    HijackRoute("POST", "/exec/{name}/start", start_exec),
]
