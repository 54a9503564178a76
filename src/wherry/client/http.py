"""HTTP/1.1 from the client's side: one request at a time on one socket (RFC 9112).

Small on purpose: `http.client` costs 20 ms of import and hides the socket, which attach and exec
need back together with the bytes that were read too early.
"""

import contextlib
import re
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence

from wherry.kit.errors import Corrupt, Unavailable

BLOCK = 256 * 1024
"""Bytes asked of the socket in one call."""
MAX_LINE = 64 * 1024
MAX_HEADERS = 256
UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

_WOULD_BLOCK = ("SSLWantReadError", "SSLWantWriteError")

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


_SUCCESS = re.compile(rb"HTTP/1\.\d 2")


def is_only_early(error: OSError) -> bool:
    """Whether a call on a non-blocking socket, TLS or not, would have had to wait."""
    return isinstance(error, BlockingIOError) or type(error).__name__ in _WOULD_BLOCK


def reason(error: OSError) -> str:
    """A broken connection's cause in words; those of TLS without OpenSSL's source lines."""
    if refused := getattr(error, "verify_message", ""):
        return f"TLS: certificate verify failed: {refused}"
    if told := getattr(error, "reason", ""):
        return f"TLS: {str(told).replace('_', ' ').lower()}"
    return (error.strerror or str(error)).lower()


class Reader:
    """A socket's incoming bytes with a look-ahead that can be handed on."""

    __slots__ = ("_at", "_held", "_socket")

    def __init__(self, stream: socket.socket) -> None:
        self._socket = stream
        self._held = b""
        self._at = 0

    def some(self, limit: int = BLOCK) -> bytes:
        """At least one byte, at most `limit`; empty at the end. Raises Unavailable."""
        if self._at < len(self._held):
            taken = self._held[self._at : self._at + limit]
            self._at += len(taken)
            return taken
        return self._receive(limit)

    def _receive(self, limit: int) -> bytes:
        try:
            return self._socket.recv(limit)
        except OSError as error:  # TLS refuses a client's certificate here, not earlier
            raise Unavailable(f"the connection to the engine broke: {reason(error)}") from error

    def has_arrived(self) -> bool:
        """Whether the peer has said something, or has gone, without waiting for it."""
        if self._at < len(self._held):
            return True
        self._socket.setblocking(False)
        try:
            self._held, self._at = self._socket.recv(BLOCK), 0
        except OSError as error:
            return not is_only_early(error)
        finally:
            self._socket.setblocking(True)
        return True

    def is_refused(self) -> bool:
        """Whether the peer has gone or begins an answer that is no success, without waiting.

        A success may begin before the request has ended: progress of a load is told in it.
        """
        return self.has_arrived() and not _SUCCESS.match(self._held, self._at)

    def line(self) -> bytes:
        """A line without its end; empty at the end of the stream. Raises Corrupt."""
        parts = b""
        while (end := self._held.find(b"\n", self._at)) < 0:
            parts += self._held[self._at :]
            self._held, self._at = self._receive(BLOCK), 0
            if not self._held:
                return parts
            if len(parts) > MAX_LINE:
                raise Corrupt("a header line of the engine's answer is longer than 64 KiB")
        parts += self._held[self._at : end]
        self._at = end + 1
        return parts.rstrip(b"\r")

    def has_lines(self, count: int) -> bool:
        """Whether so many lines can be read without waiting."""
        at = self._at
        for _ in range(count):
            at = self._held.find(b"\n", at) + 1
            if not at:
                return False
        return True

    def leftover(self) -> bytes:
        """What was read ahead; the reader keeps nothing of it."""
        held, self._held, at, self._at = self._held, b"", self._at, 0
        return held[at:]


class Response:
    """Status, headers and a body that is read piece by piece."""

    __slots__ = (
        "_begun",
        "_chunked",
        "_left",
        "_reader",
        "ended",
        "headers",
        "reason",
        "status",
    )

    def __init__(self, reader: Reader, *, bodyless: bool = False) -> None:
        self._reader = reader
        self._begun = False
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
        if self._chunked:
            return self._some_chunks(limit)
        data = self._reader.some(limit if self._left is None else min(limit, self._left))
        if self._left is None:
            self.ended = not data
            return data
        self._left -= len(self._checked(data))
        self.ended = not self._left
        return data

    def _some_chunks(self, limit: int) -> bytes:
        """Bytes of as many chunks as are here already: a log has one for each of its lines."""
        pieces: list[bytes] = []
        room = limit
        while room and (not pieces or self._left or self._reader.has_lines(2)):
            if not self._left and not self._next_chunk():
                break
            assert self._left is not None
            data = self._checked(self._reader.some(min(room, self._left)))
            self._left -= len(data)
            room -= len(data)
            pieces.append(data)
            if self._left:
                break
        return b"".join(pieces)

    @staticmethod
    def _checked(data: bytes) -> bytes:
        if not data:
            raise Unavailable("the engine closed the connection in the middle of its answer")
        return data

    def _next_chunk(self) -> bool:
        """Read the next chunk's head; False, and the trailer is read, after the last one."""
        if self._begun:
            self._reader.line()
        self._begun = True
        head = self._checked(self._reader.line().split(b";", 1)[0].strip())
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


def send(stream: socket.socket, head: bytes, body: Body, reader: Reader) -> bool:
    """Write a request; a body that is not bytes goes out chunked.

    False where the peer refused early or closed: that is no error here, the rest is not sent,
    and its answer is still to be read. Raises what the body raises; the request is cut off then.
    """
    if body is None or isinstance(body, bytes):
        return _write(stream, head + (body or b""))
    sent = _write(stream, head)
    for piece in body:
        if not sent or reader.is_refused():
            return False
        if piece:
            sent = _write(stream, b"%x\r\n" % len(piece), piece, b"\r\n")
    return sent and _write(stream, b"0\r\n\r\n")


def _write(stream: socket.socket, *pieces: bytes) -> bool:
    """Whether the connection took all of it."""
    try:
        for piece in pieces:
            stream.sendall(piece)
    except OSError:
        with contextlib.suppress(OSError):
            stream.shutdown(socket.SHUT_WR)
        return False
    return True
