"""TLS under a protocol, where each direction ends on its own.

asyncio's TLS closes both directions as soon as the client has ended one. Docker's clients end
their direction when standard input ends and go on to read, so the TLS connection is kept here, on
memory buffers (`ssl.MemoryBIO`). Clients say the end by `close_notify` (RFC 8446, 6.1) or, as
Docker's did for long, by a bare FIN; both count.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

HANDSHAKE_SECONDS: Final = 30.0
LINGER: Final = 2.0
"""Seconds in which a client may still send after we have closed, so that it is not reset."""
NOT_HTTPS: Final = (
    b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Connection: close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
)
"""In the words of Go's server, which clients show as they are."""
READ_BYTES: Final = 256 << 10


class SecureTransport(asyncio.Transport):
    """What the protocol above writes to. After `write_eof` nothing is read any more either."""

    def __init__(self, raw: asyncio.Transport, tls: ssl.SSLObject, outgoing: ssl.MemoryBIO) -> None:
        super().__init__()
        self._raw = raw
        self._tls = tls
        self._outgoing = outgoing
        self._protocol: asyncio.BaseProtocol | None = None
        self._closing = False
        self.sent_end = False
        self.paused = False
        self.on_resume: Callable[[], None] | None = None
        self.peer_ended = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send; dropped where the connection is ending, as asyncio does."""
        view = memoryview(data).cast("B")
        if self.sent_end or self._raw.is_closing():
            return
        try:
            while view:
                view = view[self._tls.write(view) :]
        except ssl.SSLError as error:
            log.debug("TLS write failed: %s", error)
            self._raw.abort()
            return
        self.flush()

    def flush(self) -> None:
        """Send what TLS itself has to say."""
        if self._outgoing.pending:
            self._raw.write(self._outgoing.read())

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """`close_notify`, then FIN."""
        if self.sent_end:
            return
        self.sent_end = True
        try:
            self._tls.unwrap()
        except ssl.SSLError as error:  # "want read": the client's own end is not waited for
            log.debug("TLS end: %s", error)
        self.flush()
        if not self._raw.is_closing():
            self._raw.write_eof()

    def close(self) -> None:
        """End our direction; the connection goes when the client ends its own, or soon after."""
        if self._closing:
            return
        self._closing = True
        self.write_eof()
        if self.peer_ended:
            self._raw.close()
            return
        self._raw.resume_reading()
        asyncio.get_running_loop().call_later(LINGER, self._raw.close)

    def abort(self) -> None:
        self._closing = True
        self._raw.abort()

    def is_closing(self) -> bool:
        return self._closing or self._raw.is_closing()

    def pause_reading(self) -> None:
        self.paused = True
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        if not self.paused:
            return
        self.paused = False
        self._raw.resume_reading()
        if self.on_resume is not None:
            asyncio.get_running_loop().call_soon(self.on_resume)

    def is_reading(self) -> bool:
        return not self.paused and not self.is_closing()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._protocol is not None
        return self._protocol

    def get_extra_info(self, name: str, default: object = None) -> object:
        """As asyncio's TLS transport: `ssl_object`, and what the socket knows."""
        own: dict[str, object] = {"ssl_object": self._tls, "sslcontext": self._tls.context}
        return own[name] if name in own else self._raw.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        return self._raw.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._raw.set_write_buffer_limits(high, low)


class Gate(asyncio.Protocol):
    """The encrypted side of one connection. `make` gives the protocol above it."""

    def __init__(self, context: ssl.SSLContext, make: Callable[[], asyncio.Protocol]) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._make = make
        self._above: SecureTransport | None = None
        self._told_end = False
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._raw = transport
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(HANDSHAKE_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        if self._above is None:
            self._shake_hands()
        self._deliver()

    def eof_received(self) -> bool:
        if self._above is None:
            return False
        self._above.peer_ended = True
        if self._above.is_closing():
            self._raw.close()
        self._deliver()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._timer.cancel()
        if self._above is not None:
            self._above.get_protocol().connection_lost(exc)

    def pause_writing(self) -> None:
        if self._above is not None:
            self._above.get_protocol().pause_writing()

    def resume_writing(self) -> None:
        if self._above is not None:
            self._above.get_protocol().resume_writing()

    def _shake_hands(self) -> None:
        above = SecureTransport(self._raw, self._tls, self._outgoing)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            above.flush()
            return
        except ssl.SSLError as error:
            log.info("refused %s: %s", self._raw.get_extra_info("peername"), error.reason or error)
            if error.reason == "HTTP_REQUEST":
                self._raw.write(NOT_HTTPS)
            else:
                above.flush()  # the alert says why
            self._raw.close()
            return
        above.flush()
        self._timer.cancel()
        self._above = above
        protocol = self._make()
        above.set_protocol(protocol)
        above.on_resume = self._deliver
        protocol.connection_made(above)

    def _deliver(self) -> None:
        """Decrypted bytes to the protocol, as long as it reads, then their end."""
        above = None if self._lost else self._above
        while above is not None and not (above.paused or above.sent_end):
            try:
                data = self._tls.read(READ_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError as error:
                log.debug("TLS read failed: %s", error)
                self._raw.abort()
                return
            if not data:
                above.peer_ended = True
                break
            protocol = above.get_protocol()
            assert isinstance(protocol, asyncio.Protocol)
            protocol.data_received(data)
        if above is not None and not above.paused:
            above.flush()
            self._tell_end(above)

    def _tell_end(self, above: SecureTransport) -> None:
        if not above.peer_ended or self._told_end or above.is_closing():
            return
        self._told_end = True
        protocol = above.get_protocol()
        assert isinstance(protocol, asyncio.Protocol)
        if not protocol.eof_received():
            above.close()
