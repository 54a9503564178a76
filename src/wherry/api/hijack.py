"""A connection that stops being HTTP: the client's own socket, for another process to use.

On a plain socket the descriptor itself is handed over, so that no byte of the stream passes this
process again. TLS gets a socket pair and a relay instead (`relay`).
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Final

from wherry.api import framing
from wherry.api.framing import Head
from wherry.api.relay import relay
from wherry.dockerapi.streams import MULTIPLEXED_TYPE, RAW_TYPE
from wherry.kit.errors import Unavailable

HELD_BYTES: Final = 64 << 10
"""Bytes held for a stream that has not begun; after that the kernel holds the client up."""
BODY_LIMIT: Final = 1 << 20
"""Bytes of the JSON that starts an exec."""
LINGER: Final = 2.0
"""Seconds a refused client may take to read the answer before its connection is closed."""

HijackHandler = Callable[["Hijacked", Head, bytes], Coroutine[Any, Any, None]]
"""Gets the connection, the request's head and its body; takes or answers, and never raises."""


class Takeover(asyncio.Protocol):
    """The protocol of a connection from the head of a hijack request on.

    Reads the body, starts the handler, holds what the client sends behind it.
    """

    def __init__(self, transport: asyncio.Transport, handler: HijackHandler) -> None:
        self.transport = transport
        self.held = bytearray()
        self.lost = False
        self.answered = False
        self.arrived: asyncio.Queue[bytes] | None = None
        self.task: asyncio.Task[None] | None = None
        self._handler = handler
        self._head = Head("", "", {})
        self._body: framing.Body = framing.SizedBody(0, keep=False)
        self._writable = asyncio.Event()
        self._writable.set()

    def begin(self, head: bytes, rest: bytes) -> None:
        """Start with the head, and what came with it."""
        self._head = framing.parse_head(head)
        self._body = framing.body_of(head, keep=True)
        if self._head.headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.data_received(rest)

    def data_received(self, data: bytes) -> None:
        if self.task is None:
            data = self._read_body(data)
        if self.arrived is not None:
            self.arrived.put_nowait(data)
            self.transport.pause_reading()
        elif data:
            self.held += data
            if len(self.held) > HELD_BYTES:
                self.transport.pause_reading()

    def _read_body(self, data: bytes) -> bytes:
        try:
            rest = data[self._body.feed(data) :]
        except framing.Broken:
            self.transport.abort()
            return b""
        if len(self._body.payload) > BODY_LIMIT:
            self.transport.abort()
        elif self._body.done:
            hijacked = Hijacked(self, upgrade="upgrade" in self._head.headers)
            work = self._handler(hijacked, self._head, bytes(self._body.payload))
            self.task = asyncio.get_running_loop().create_task(work)
        return rest

    def eof_received(self) -> bool:
        if self.arrived is not None:
            self.arrived.put_nowait(b"")
        return not self.answered  # a half-closed client still reads

    def connection_lost(self, _exc: Exception | None) -> None:
        self.lost = True
        self._writable.set()
        if self.arrived is not None:
            self.arrived.put_nowait(b"")

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def drain(self) -> None:
        """Until more may be written."""
        await self._writable.wait()


class Hijacked:
    """The connection of one attach or exec request: taken or answered, once."""

    def __init__(self, takeover: Takeover, *, upgrade: bool) -> None:
        self._takeover = takeover
        self._upgrade = upgrade
        self.headers: dict[str, str] = {}
        """Headers beside those of the stream."""
        self.multiplexed_type = True
        """Whether the client's version knows the content type of multiplexed streams."""
        self.taken = False

    async def take(self, multiplexed: bool = False) -> tuple[socket.socket, bytes]:
        """Answer the request; give the socket, and the bytes that the client already sent.

        The socket is the caller's to close. It is non-blocking, which it shares with every
        descriptor of the same connection. `multiplexed` says that frames will be sent.
        Raises Unavailable where the client is gone.
        """
        takeover, transport = self._takeover, self._takeover.transport
        if takeover.lost or transport.is_closing():
            raise Unavailable("the client closed its connection before the stream began")
        self.taken = True
        transport.write(self._head(multiplexed))
        await takeover.drain()
        if transport.get_extra_info("ssl_object") is not None or transport.get_write_buffer_size():
            return relay(takeover)
        transport.pause_reading()
        own: socket.socket = transport.get_extra_info("socket").dup()
        leftover = bytes(takeover.held)
        transport.abort()  # closes the loop's own descriptor; the connection lives on in `own`
        return own, leftover

    def _head(self, multiplexed: bool) -> bytes:
        framed = multiplexed and self.multiplexed_type
        headers = {"Content-Type": MULTIPLEXED_TYPE if framed else RAW_TYPE}
        if self._upgrade:
            headers |= {"Connection": "Upgrade", "Upgrade": "tcp"}
        status = "101 UPGRADED" if self._upgrade else "200 OK"
        return _response_head(status, headers | self.headers)

    async def answer(self, status: str, content_type: str, body: bytes) -> None:
        """An ordinary answer (`404 Not Found`), after which the connection is closed."""
        takeover, transport = self._takeover, self._takeover.transport
        if takeover.lost:
            return
        headers = {
            "Content-Type": content_type,
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
        transport.write(_response_head(status, headers | self.headers) + body)
        await takeover.drain()
        if transport.can_write_eof() and not transport.is_closing():
            transport.write_eof()
        # closing before the client has read, or while it sends, could reset the connection
        takeover.answered = True
        asyncio.get_running_loop().call_later(LINGER, transport.close)


def _response_head(status: str, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
