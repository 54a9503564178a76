"""Answers as dockerd writes them, with the headers that every one of them has."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

import wherry
from wherry.api.call import Call
from wherry.api.closing import closing
from wherry.dockerapi.encode import encode_json, encode_tree
from wherry.dockerapi.system import ErrorAnswer
from wherry.dockerapi.version import MAXIMUM, ApiVersion
from wherry.kit.errors import WherryError

log = logging.getLogger(__name__)

SERVER: Final = f"wherry/{wherry.__version__} (linux)"
COMMON: Final = {
    "Api-Version": str(MAXIMUM),
    "Docker-Experimental": "false",
    "Ostype": "linux",
    "Server": SERVER,
}
JSON: Final = "application/json"
TAR: Final = "application/x-tar"
_TEXT_ERRORS_BEFORE: Final = ApiVersion(1, 24)


def json_answer(value: object, *, status: int = 200) -> web.Response:
    """A value as JSON."""
    return _json(encode_json(value), status)


def tree_answer(tree: object) -> web.Response:
    """A tree that `versions` has cut, as JSON."""
    return _json(encode_tree(tree), 200)


def _json(body: bytes, status: int) -> web.Response:
    return web.Response(status=status, body=body, headers=COMMON | {"Content-Type": JSON})


def empty(status: int = 204) -> web.Response:
    """No body."""
    return web.Response(status=status, headers=COMMON)


def error_answer(status: int, message: str, version: ApiVersion = MAXIMUM) -> web.Response:
    """`{"message": …}`, or plain text before API 1.24."""
    if version < _TEXT_ERRORS_BEFORE:
        headers = COMMON | {"Content-Type": "text/plain; charset=utf-8"}
        return web.Response(status=status, body=f"{message}\n".encode(), headers=headers)
    return json_answer(ErrorAnswer(message), status=status)


async def stream(
    call: Call, pieces: AsyncIterator[bytes], content_type: str, **headers: str
) -> web.StreamResponse:
    """Pieces as they come; the head goes out at once. An error in their midst ends the stream."""
    response = await open_stream(call, content_type, **headers)
    async with closing(pieces):
        async for piece in pieces:
            await response.write(piece)
    await response.write_eof()
    return response


async def open_stream(call: Call, content_type: str, **headers: str) -> web.StreamResponse:
    """A response whose head has been sent, to be written to."""
    assert call.request is not None
    response = web.StreamResponse(
        headers=COMMON | {"Content-Type": content_type} | headers,
    )
    await response.prepare(call.request)
    return response


async def json_lines(
    call: Call, values: AsyncIterator[object], *, end: bytes = b"\r\n", eager: bool = False
) -> web.StreamResponse:
    """Values as lines of JSON.

    An error before the first value is the answer's status; a later one is a line of its own.
    `eager` sends the head before there is a value, so that every error is a line.
    """
    response = await open_stream(call, JSON) if eager else None
    try:
        async with closing(values):
            async for value in values:
                if response is None:
                    response = await open_stream(call, JSON)
                await response.write(encode_json(value)[:-1] + end)
    except WherryError as error:
        if response is None:
            raise
        await response.write(_error_line(str(error)) + end)
    except (asyncio.CancelledError, ConnectionError):
        raise
    except Exception as error:
        if response is None:
            raise
        log.exception("%s %s failed in its midst", call.method, call.path)
        await response.write(_error_line(f"{type(error).__name__}: {error}") + end)
    if response is None:
        response = await open_stream(call, JSON)
    await response.write_eof()
    return response


def _error_line(message: str) -> bytes:
    return encode_tree({"errorDetail": {"message": message}, "error": message})[:-1]
