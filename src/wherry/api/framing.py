"""Where an HTTP/1.1 request ends: just enough to find the bytes behind it (RFC 9112).

aiohttp's parser loses what follows an upgrade in the same read, so the connection is cut into
requests before it. Nothing here answers or refuses: malformed text is left to aiohttp.
"""

import re
from typing import Final, NamedTuple, Protocol

HEAD_LIMIT: Final = 256 << 10
"""Bytes of a request's head; registry credentials and filters may be long."""

_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked[ \t]*\r\n", re.IGNORECASE)
_WEBSOCKET: Final = re.compile(rb"\r\nupgrade:[ \t]*websocket[ \t]*\r\n", re.IGNORECASE)
_HIJACK: Final = re.compile(
    rb"POST (?:/v[0-9.]+)?/(?:containers/[^ ?]+/attach|exec/[^ ?]+/start)(?:\?[^ ]*)? "
    rb"HTTP/1\.[01]\r\n"
)
_SIZE_LINE: Final = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?")


class Broken(Exception):
    """The bytes are not a chunked body."""


class Head(NamedTuple):
    """Request line and headers, the names in lower case."""

    method: str
    target: str
    headers: dict[str, str]


class Body(Protocol):
    """Counts through a body; `payload` collects it where that was asked for."""

    done: bool
    payload: bytearray

    def feed(self, data: bytes) -> int:
        """How many of these bytes belong to the body."""


class SizedBody:
    """A body of a known length."""

    __slots__ = ("_keep", "_left", "done", "payload")

    def __init__(self, length: int, keep: bool) -> None:
        self._left = length
        self._keep = keep
        self.done = length == 0
        self.payload = bytearray()

    def feed(self, data: bytes) -> int:
        used = min(len(data), self._left)
        self._left -= used
        self.done = self._left == 0
        if self._keep:
            self.payload += data[:used]
        return used


class ChunkedBody:
    """A chunked body; `feed` raises Broken for anything else."""

    __slots__ = ("_in_trailer", "_keep", "_left", "_line", "done", "payload")

    def __init__(self, keep: bool) -> None:
        self._keep = keep
        self._left = 0
        self._line = bytearray()
        self._in_trailer = False
        self.done = False
        self.payload = bytearray()

    def feed(self, data: bytes) -> int:
        at = 0
        while at < len(data) and not self.done:
            at = self._data(data, at) if self._left else self._text(data, at)
        return at

    def _data(self, data: bytes, at: int) -> int:
        end = min(len(data), at + self._left)
        self._left -= end - at
        if self._keep:
            self.payload += data[at:end]
        return end

    def _text(self, data: bytes, at: int) -> int:
        newline = data.find(b"\n", at)
        end = len(data) if newline < 0 else newline + 1
        self._line += data[at:end]
        if len(self._line) > HEAD_LIMIT:
            raise Broken("a line of a chunked body does not end")
        if newline >= 0:
            line, self._line = bytes(self._line).strip(b"\r\n"), bytearray()
            self._line_ended(line)
        return end

    def _line_ended(self, line: bytes) -> None:
        if self._in_trailer:
            self.done = not line
            return
        if not line:
            return  # the end of a chunk's data
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise Broken(f"not a chunk size: {line[:40]!r}")
        self._left = int(match[1], 16)
        self._in_trailer = self._left == 0


def head_end(data: bytes | bytearray) -> int:
    """Where the head ends, its empty line included; 0 where it has not ended."""
    return data.find(b"\r\n\r\n") + 4 if b"\r\n\r\n" in data else 0


def is_hijack(head: bytes) -> bool:
    """Whether this request takes over its connection (attach, exec start)."""
    return _HIJACK.match(head) is not None


def is_websocket(head: bytes) -> bool:
    """Whether what follows is no longer HTTP."""
    return _WEBSOCKET.search(head) is not None


def body_of(head: bytes, *, keep: bool) -> Body:
    """The body that this head announces."""
    if _CHUNKED.search(head):
        return ChunkedBody(keep)
    match = _LENGTH.search(head)
    return SizedBody(int(match[1]) if match else 0, keep)


def parse_head(data: bytes) -> Head:
    """The parts of a head whose request line `is_hijack` accepted."""
    line, *rest = data.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = line.split(" ")
    pairs = (one.partition(":") for one in rest)
    return Head(method, target, {name.strip().lower(): value.strip() for name, _, value in pairs})
