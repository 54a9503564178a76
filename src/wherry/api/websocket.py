"""GET /containers/{name}/attach/ws: attach for browsers' clients, relayed message by message."""

import asyncio
import socket
from typing import Final

from aiohttp import WSMsgType, web

from wherry.api.call import Call
from wherry.api.container_streams import attach_options
from wherry.api.routes import Route
from wherry.dockerapi.streams import Decoder
from wherry.engine.containers.attach import attach
from wherry.engine.engine import Engine
from wherry.kit.errors import InvalidInput

_BINARY_SINCE: Final = (1, 28)
_READ_BYTES: Final = 64 << 10


class WebSocketConnection:
    """Gives a container one end of a socket pair, whose other end speaks websocket."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.response = web.WebSocketResponse()
        self.pair: socket.socket | None = None
        self.framed = False

    async def take(self, multiplexed: bool = False) -> tuple[socket.socket, bytes]:
        """Answer the handshake. Raises InvalidInput where the request is none."""
        assert self._call.request is not None
        try:
            await self.response.prepare(self._call.request)
        except web.HTTPBadRequest as error:
            raise InvalidInput(
                "not a websocket handshake: ask for an upgrade (RFC 6455)"
            ) from error
        self.pair, theirs = socket.socketpair()
        self.pair.setblocking(False)
        self.framed = multiplexed
        return theirs, b""


async def attach_websocket(engine: Engine, call: Call) -> web.StreamResponse:
    """Both outputs come as one; before API 1.42 all streams are attached, whatever was asked."""
    options = attach_options(call)
    if call.version < (1, 42):
        options = options._replace(stdin=True, stdout=True, stderr=True)
    connection = WebSocketConnection(call)
    await attach(engine, call.name, options, connection)
    if connection.pair is not None:
        with connection.pair as pair:
            await _relay(connection, pair, binary=call.version >= _BINARY_SINCE)
    return connection.response


async def _relay(connection: WebSocketConnection, pair: socket.socket, *, binary: bool) -> None:
    inward = asyncio.create_task(_to_container(connection.response, pair))
    try:
        await _to_client(connection, pair, binary)
        await connection.response.close()
    finally:
        inward.cancel()
        await asyncio.gather(inward, return_exceptions=True)


async def _to_container(response: web.WebSocketResponse, pair: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    try:
        async for message in response:
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                data = message.data
                await loop.sock_sendall(pair, data.encode() if isinstance(data, str) else data)
        pair.shutdown(socket.SHUT_WR)
    except OSError:
        return  # the container has ended: nobody reads what the client sends


async def _to_client(connection: WebSocketConnection, pair: socket.socket, binary: bool) -> None:
    loop, decoder = asyncio.get_running_loop(), Decoder()
    while data := await loop.sock_recv(pair, _READ_BYTES):
        pieces = [payload for _, payload in decoder.feed(data)] if connection.framed else [data]
        for piece in pieces:
            if binary:
                await connection.response.send_bytes(piece)
            else:
                await connection.response.send_str(piece.decode("utf-8", "replace"))


ROUTES: Final = [
    Route("GET", "/containers/{name}/attach/ws", attach_websocket, stops_with_client=True),
]
