"""HTTP/1.1 from the client's side: one request at a time on one socket (RFC 9112).

Small on purpose: `http.client` costs 20 ms of import and hides the socket, which attach and exec
need back together with the bytes that were read too early.
"""

import contextlib
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence

from wherry.kit.errors import Corrupt, Unavailable

BLOCK = 256 * 1024
"""Bytes asked of the socket in one call."""
MAX_LINE = 64 * 1024
MAX_HEADERS = 256
UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

Body = bytes | Iterable[bytes] | None
Query = Mapping[str, "str | Sequence[str]"]


def quote(text: str, safe: str = "") -> str:
    """Percent-encoding (RFC 3986, section 2.1)."""
    keep = UNRESERVED.union(safe.encode())
    return "".join(chr(b) if b in keep else f"%{b:02X}" for b in text.encode())


def query_string(query: Query) -> str:
    """`?a=b&c=d` with sorted names, or an empty string; a list repeats its name."""
    pairs = []
    for name in sorted(query):
        value = query[name]
        items = [value] if isinstance(value, str) else value
        pairs += [f"{quote(name)}={quote(item)}" for item in items]
    return "?" + "&".join(pairs) if pairs else ""


class Reader:
    """A socket's incoming bytes with a look-ahead that can be handed on."""

    __slots__ = ("_held", "_socket")

    def __init__(self, stream: socket.socket) -> None:
        self._socket = stream
        self._held = b""

    def some(self, limit: int = BLOCK) -> bytes:
        """At least one byte, at most `limit`; empty at the end. Raises Unavailable."""
        if self._held:
            taken, self._held = self._held[:limit], self._held[limit:]
            return taken
        try:
            return self._socket.recv(limit)
        except ConnectionError as error:
            raise Unavailable(f"the engine closed the connection: {error.strerror}") from error

    def line(self) -> bytes:
        """A line without its end; empty at the end of the stream. Raises Corrupt."""
        parts = bytearray()
        while True:
            data = self.some()
            at = data.find(b"\n")
            if at >= 0:
                self._held = data[at + 1 :] + self._held
                return bytes(parts + data[:at]).rstrip(b"\r")
            parts += data
            if not data:
                return bytes(parts)
            if len(parts) > MAX_LINE:
                raise Corrupt("a header line of the engine's answer is longer than 64 KiB")

    def leftover(self) -> bytes:
        """What was read ahead; the reader keeps nothing of it."""
        held, self._held = self._held, b""
        return held


class Response:
    """Status, headers and a body that is read piece by piece."""

    __slots__ = ("_chunked", "_left", "_reader", "ended", "headers", "reason", "status")

    def __init__(self, reader: Reader, *, bodyless: bool = False) -> None:
        self._reader = reader
        self.status, self.reason = _status_line(reader.line())
        self.headers = dict(_headers(reader))
        self._chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        length = self.headers.get("content-length")
        self._left: int | None = None if length is None else int(length)
        if self._chunked:
            self._left = 0
        self.ended = bodyless or self.status in (204, 304) or (not self._chunked and length == "0")

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another request once the body has ended."""
        framed = self._chunked or self._left is not None or self.status in (204, 304)
        return framed and self.headers.get("connection", "").lower() != "close"

    def some(self, limit: int = BLOCK) -> bytes:
        """The next bytes of the body, empty at its end. Raises Unavailable, Corrupt."""
        if self.ended:
            return b""
        if self._chunked and not self._left and not self._next_chunk():
            return b""
        data = self._reader.some(limit if self._left is None else min(limit, self._left))
        if self._left is None:
            self.ended = not data
            return data
        if not data:
            raise Unavailable("the engine closed the connection in the middle of its answer")
        self._left -= len(data)
        self._finish_piece()
        return data

    def _finish_piece(self) -> None:
        if self._left:
            return
        if self._chunked:
            self._reader.line()
        else:
            self.ended = True

    def _next_chunk(self) -> bool:
        head = self._reader.line().split(b";", 1)[0].strip()
        if not head:
            raise Unavailable("the engine closed the connection in the middle of its answer")
        try:
            self._left = int(head, 16)
        except ValueError as error:
            raise Corrupt(f"broken chunk length {head[:20]!r} in the engine's answer") from error
        if self._left:
            return True
        while self._reader.line():
            continue
        self.ended = True
        return False

    def __iter__(self) -> Iterator[bytes]:
        while data := self.some():
            yield data

    def read(self) -> bytes:
        """The rest of the body."""
        return b"".join(self)


def _status_line(line: bytes) -> tuple[int, str]:
    parts = line.decode("latin-1").split(" ", 2)
    if not line:
        raise Unavailable("the engine closed the connection without an answer")
    if not parts[0].startswith("HTTP/1.") or len(parts) < 2 or not parts[1].isdigit():
        raise Corrupt(f"not an HTTP answer: {line[:60]!r} (is this a TLS port?)")
    return int(parts[1]), parts[2] if len(parts) > 2 else ""


def _headers(reader: Reader) -> Iterator[tuple[str, str]]:
    for _ in range(MAX_HEADERS):
        line = reader.line()
        if not line:
            return
        name, _, value = line.decode("latin-1").partition(":")
        yield name.strip().lower(), value.strip()
    raise Corrupt(f"the engine's answer has more than {MAX_HEADERS} header lines")


def send(stream: socket.socket, head: bytes, body: Body) -> None:
    """Write a request; a body that is not bytes goes out chunked.

    A peer that answers early and closes is no error here: its answer is still to be read.
    """
    try:
        if body is None or isinstance(body, bytes):
            stream.sendall(head + (body or b""))
            return
        stream.sendall(head)
        for piece in body:
            if piece:
                stream.sendall(b"%x\r\n" % len(piece))
                stream.sendall(piece)
                stream.sendall(b"\r\n")
        stream.sendall(b"0\r\n\r\n")
    except (BrokenPipeError, ConnectionResetError):
        with contextlib.suppress(OSError):
            stream.shutdown(socket.SHUT_WR)
