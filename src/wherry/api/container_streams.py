"""Containers: what stays open: wait, logs, attach."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from wherry.api import answers
from wherry.api.call import Call
from wherry.api.closing import closing
from wherry.api.hijack import Hijacked
from wherry.api.routes import HijackRoute, Route
from wherry.dockerapi.encode import encode_json
from wherry.dockerapi.moments import moment
from wherry.dockerapi.streams import MULTIPLEXED_TYPE, RAW_TYPE, SYSTEM, frame
from wherry.engine.containers.attach import attach
from wherry.engine.containers.logs import LogsOptions, logs
from wherry.engine.containers.waiting import wait
from wherry.engine.engine import Engine
from wherry.kit.errors import WherryError
from wherry.monitor.protocol import AttachOptions


async def wait_container(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /containers/{name}/wait; since API 1.30 the head is sent before the exit."""
    modern = call.version >= (1, 30)
    condition = call.text("condition") if modern else ""
    pending = await wait(engine, call.name, condition)
    async with closing(pending):
        if not modern:
            return answers.json_answer(await anext(pending))
        response = await answers.open_stream(call, answers.JSON)
        answer = await anext(pending)
    silent = condition == "removed" and call.version < (1, 34) and answer.error is not None
    if not silent:  # before 1.34 a failed removal was told by saying nothing
        await response.write(encode_json(answer))
    await response.write_eof()
    return response


def _tail(text: str) -> int:
    """How many lines from the end; `all`, and whatever is no number, means all of them."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


async def container_logs(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /containers/{name}/logs."""
    options = LogsOptions(
        stdout=call.flag("stdout"),
        stderr=call.flag("stderr"),
        follow=call.flag("follow"),
        timestamps=call.flag("timestamps"),
        details=call.flag("details"),
        since=moment(call.text("since")) or 0,
        until=moment(call.text("until")) or 0,
        tail=_tail(call.text("tail")),
    )
    pieces = await logs(engine, call.name, options)
    framed = not engine.containers.find(call.name).record.request.tty
    if framed and call.version >= (1, 42):
        return await answers.stream(call, _with_errors(pieces, framed), MULTIPLEXED_TYPE)
    return await answers.stream(call, _with_errors(pieces, framed), RAW_TYPE)


async def _with_errors(pieces: AsyncIterator[bytes], framed: bool) -> AsyncIterator[bytes]:
    """An error in the midst of a log is told within it, as dockerd does."""
    try:
        async with closing(pieces):
            async for piece in pieces:
                yield piece
    except (WherryError, OSError) as error:
        text = f"Error grabbing logs: {error}\n".encode()
        yield frame(SYSTEM, text) if framed else text


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
    Route("GET", "/containers/{name}/logs", container_logs, stops_with_client=True),
]
HIJACK_ROUTES: Final = [
    HijackRoute("POST", "/containers/{name}/attach", attach_container, raw_errors=True),
]
