"""Containers: what stays open: wait, attach, and its websocket form."""

from typing import Final

from aiohttp import web

from wherry.api import answers
from wherry.api.call import Call
from wherry.api.hijack import Hijacked
from wherry.api.routes import HijackRoute, Route
from wherry.dockerapi.encode import encode_json
from wherry.engine.containers.attach import attach
from wherry.engine.containers.waiting import wait
from wherry.engine.engine import Engine
from wherry.monitor.protocol import AttachOptions


async def wait_container(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /containers/{name}/wait; since API 1.30 the head is sent before the exit."""
    modern = call.version >= (1, 30)
    condition = call.text("condition") if modern else ""
    pending = await wait(engine, call.name, condition)
    if not modern:
        async for answer in pending:
            return answers.json_answer(answer)
    response = await answers.open_stream(call, answers.JSON)
    async for answer in pending:
        silent = condition == "removed" and call.version < (1, 34) and answer.error is not None
        if not silent:  # before 1.34 a failed removal was told by saying nothing
            await response.write(encode_json(answer))
    await response.write_eof()
    return response


def attach_options(call: Call) -> AttachOptions:
    """What a client wants to see and send."""
    return AttachOptions(
        stdin=call.flag("stdin"),
        stdout=call.flag("stdout"),
        stderr=call.flag("stderr"),
        stream=call.flag("stream"),
        logs=call.flag("logs"),
        detach_keys=call.text("detachKeys"),
    )


async def attach_container(engine: Engine, call: Call, hijacked: Hijacked) -> None:
    """POST /containers/{name}/attach."""
    await attach(engine, call.name, attach_options(call), hijacked)


ROUTES: Final = [
    Route("POST", "/containers/{name}/wait", wait_container, stops_with_client=True),
]
HIJACK_ROUTES: Final = [
    HijackRoute("POST", "/containers/{name}/attach", attach_container, raw_errors=True),
]
