"""The protocol on each accepted connection: cuts it into requests for aiohttp, or for a hijack.

aiohttp sees every request but attach and exec start. Those leave for `hijack.Takeover`, because
what the client sends behind them belongs to the stream, and aiohttp's parser would eat it.
"""

import asyncio

from aiohttp import web

from wherry.api import framing
from wherry.api.hijack import HijackHandler, Takeover


class Front(asyncio.Protocol):
    """One connection. `connections` is the server's set of those that are open."""

    def __init__(
        self, http: web.Server, on_hijack: HijackHandler, connections: set[asyncio.Transport]
    ) -> None:
        self._server = http
        self._on_hijack = on_hijack
        self._connections = connections
        self._http: web.RequestHandler | None = None
        self._body: framing.Body | None = None
        self._partial = b""
        self._raw = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self._transport)
        if self._http is not None:
            self._http.connection_lost(exc)

    def eof_received(self) -> None:
        if self._http is not None:
            self._http.eof_received()

    def pause_writing(self) -> None:
        if self._http is not None:
            self._http.pause_writing()

    def resume_writing(self) -> None:
        if self._http is not None:
            self._http.resume_writing()

    def data_received(self, data: bytes) -> None:
        while data:
            if self._raw:
                self._pass(data)
                return
            data = self._begin(data) if self._body is None else self._continue(self._body, data)

    def _continue(self, body: framing.Body, data: bytes) -> bytes:
        used = self._feed(body, data)
        self._pass(data[:used])
        return data[used:]

    def _begin(self, data: bytes) -> bytes:
        """Take a request's head (after the empty lines some clients leave); give the rest."""
        data = (self._partial + data).lstrip(b"\r\n")
        end = framing.head_end(data)
        self._partial = b"" if end else data
        if not end:
            if len(data) > framing.HEAD_LIMIT:
                self._raw = True  # aiohttp has limits too, and words for them
                self._pass(data)
            return b""
        head, rest = data[:end], data[end:]
        if framing.is_hijack(head):
            self._take_over(head, rest)
            return b""
        self._raw = framing.is_websocket(head)
        used = self._feed(framing.body_of(head, keep=False), rest)
        self._pass(data[: end + used])
        return rest[used:]

    def _feed(self, body: framing.Body, data: bytes) -> int:
        try:
            used = body.feed(data)
        except framing.Broken:
            self._raw = True  # aiohttp refuses it, and closes
            return len(data)
        self._body = None if body.done else body
        return used

    def _pass(self, data: bytes) -> None:
        if self._http is None:
            self._http = self._server()
            self._http.connection_made(self._transport)
        self._http.data_received(data)

    def _take_over(self, head: bytes, rest: bytes) -> None:
        if self._http is not None:
            # without its transport aiohttp's handler ends without closing the connection
            self._http.transport = None
            self._http.connection_lost(None)
            self._http = None
        takeover = Takeover(self._transport, self._on_hijack)
        self._connections.discard(self._transport)
        self._transport.set_protocol(takeover)
        takeover.begin(head, rest)
