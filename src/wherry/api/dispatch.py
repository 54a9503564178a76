"""From a request to its answer: route, version, errors, and what outlives its client."""

import asyncio
import logging
import os
from http import HTTPStatus
from typing import Generic, TypeVar
from urllib.parse import unquote

from aiohttp import web
from multidict import CIMultiDict

from wherry.api import answers
from wherry.api.call import Call, ReadBody, reader_of
from wherry.api.framing import Head
from wherry.api.hijack import Hijacked
from wherry.api.origin import OriginRule
from wherry.api.routes import Found, HijackRoute, Route, Router, split_version
from wherry.dockerapi import version as versions
from wherry.dockerapi.encode import encode_json
from wherry.dockerapi.status import status_of
from wherry.dockerapi.streams import RAW_TYPE
from wherry.dockerapi.system import ErrorAnswer
from wherry.dockerapi.version import MAXIMUM, ApiVersion
from wherry.kit.errors import InvalidInput, WherryError

E = TypeVar("E")
log = logging.getLogger(__name__)

_MULTIPLEXED_SINCE = ApiVersion(1, 42)


class Dispatcher(Generic[E]):
    """Answers the requests of all connections for one engine."""

    def __init__(
        self, engine: E, routes: list[Route[E]], hijack_routes: list[HijackRoute[E]]
    ) -> None:
        self._engine = engine
        self._routes = Router(routes)
        self._hijack_routes = Router(hijack_routes)
        self._running: set[asyncio.Task[web.StreamResponse]] = set()

    async def answer(
        self, request: web.BaseRequest, rule: OriginRule | None = None
    ) -> web.StreamResponse:
        """The answer to any request; errors have become answers."""
        path, query = _split_target(request.raw_path)
        try:
            if rule is not None:
                rule.check(request.headers)
            found = self._routes.find(request.method, path)
            call = Call(
                request,
                method=request.method,
                path=path,
                query=query,
                headers=request.headers,
                read=reader_of(request),
                version=found.version,
                name=found.name,
            )
            return await self._run(found, call)
        except Exception as error:  # whatever it is, the client gets an answer
            if isinstance(error, ConnectionError) and _is_gone(request):
                raise
            status, message = _failure(error, f"{request.method} {path}")
            return answers.error_answer(status, message, _version_of(path))

    async def _run(self, found: Found[Route[E]], call: Call) -> web.StreamResponse:
        work = found.route.handler(self._engine, call)
        if found.route.stops_with_client:
            return await work
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: asyncio.Task[web.StreamResponse]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # seen, also where the client did not wait for it

    async def answer_hijack(
        self, hijacked: Hijacked, head: Head, body: bytes, rule: OriginRule | None = None
    ) -> None:
        """Run an attach or an exec start; errors before the stream are answers."""
        path, query = _split_target(head.target)
        headers = CIMultiDict(head.headers)
        hijacked.headers = answers.COMMON
        raw_errors = False
        try:
            if rule is not None:
                rule.check(headers)
            found = self._hijack_routes.find(head.method, path)
            raw_errors = found.route.raw_errors
            hijacked.multiplexed_type = found.version >= _MULTIPLEXED_SINCE
            call = Call(
                None,
                method=head.method,
                path=path,
                query=query,
                headers=headers,
                read=_constant(body),
                version=found.version,
                name=found.name,
            )
            await found.route.handler(self._engine, call, hijacked)
        except Exception as error:  # noqa: BLE001 - as above
            status, message = _failure(error, f"{head.method} {path}")
            if not hijacked.taken:
                await _refuse(hijacked, status, message, raw_errors)

    async def drain(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for work whose clients may be gone, then cancel it."""
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=timeout)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


def _is_gone(request: web.BaseRequest) -> bool:
    return request.transport is None or request.transport.is_closing()


def _failure(error: Exception, what: str) -> tuple[int, str]:
    """Status and text for an error; what nobody foresaw is logged under an id that is told."""
    if isinstance(error, web.RequestPayloadError):
        error = InvalidInput(f"the request's body is broken: {error}")
    status = status_of(error)
    if isinstance(error, WherryError):
        if status >= 500:
            log.error("%s: %s", what, error)
        return status, str(error)
    request_id = os.urandom(4).hex()
    log.error("%s failed (request %s)", what, request_id, exc_info=error)
    return status, f"{type(error).__name__}: {error} (request {request_id} in the daemon's log)"


async def _refuse(hijacked: Hijacked, status: int, message: str, raw: bool) -> None:
    line = f"{status} {HTTPStatus(status).phrase}"
    if raw:
        await hijacked.answer(line, RAW_TYPE, f"{message}\r\n".encode())
    else:
        await hijacked.answer(line, answers.JSON, encode_json(ErrorAnswer(message)))


def _split_target(target: str) -> tuple[str, str]:
    """Decoded path and raw query of a request target (RFC 9112, 3.2)."""
    if "://" in target.partition("?")[0]:
        target = "/" + target.partition("://")[2].partition("/")[2]
    path, _, query = target.partition("?")
    return unquote(path, errors="replace"), query


def _version_of(path: str) -> ApiVersion:
    text, _ = split_version(path)
    try:
        return versions.parse(text) if text else MAXIMUM
    except InvalidInput:
        return MAXIMUM


def _constant(body: bytes) -> ReadBody:
    async def read() -> bytes:
        return body

    return read
