"""Frames on a monitor's stream socket: four bytes of length (big endian), then JSON.

Descriptors travel by SCM_RIGHTS with the first byte of the frame that owns them; the frame's field
`fds` says how many are its own, so the order of arrival is enough to match them. Both sides use
this file; who waits and how is theirs.
"""

import json
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from wherry.kit.errors import Corrupt
from wherry.linux import fdpass

Fields = dict[str, Any]
"""A frame's JSON object; it becomes a typed value in `protocol` before it goes further."""

LIMIT = 64 << 20
"""Bytes of the largest frame that is believed."""
READ = 1 << 16
_LENGTH = struct.Struct(">I")


class Frame(NamedTuple):
    """One message; whoever takes it owns its descriptors."""

    fields: Fields
    fds: tuple[int, ...] = ()


def encode(fields: Fields, fds: Sequence[int] = ()) -> bytes:
    """A frame's bytes; the descriptors are sent beside them."""
    body = json.dumps({**fields, "fds": len(fds)} if fds else fields, separators=(",", ":"))
    data = body.encode()
    return _LENGTH.pack(len(data)) + data


class Decoder:
    """Bytes and descriptors in, frames out."""

    __slots__ = ("_buffer", "_fds")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._fds: list[int] = []

    def feed(self, data: bytes, fds: Sequence[int] = ()) -> list[Frame]:
        """The frames that are complete now. Raises Corrupt for bytes that are no frame."""
        self._buffer += data
        self._fds += fds
        frames = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def close(self) -> None:
        """Close descriptors that came without their frame."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()

    def _next(self) -> Frame | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > LIMIT:
            raise Corrupt(f"a frame of {length} bytes on the monitor's socket")
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        fields = _parse(bytes(self._buffer[_LENGTH.size : end]))
        del self._buffer[:end]
        return Frame(fields, self._take(fields.pop("fds", 0)))

    def _take(self, count: int) -> tuple[int, ...]:
        if count > len(self._fds):
            raise Corrupt(f"a frame names {count} descriptors, {len(self._fds)} came")
        taken = tuple(self._fds[:count])
        del self._fds[:count]
        return taken


def _parse(body: bytes) -> Fields:
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise Corrupt(f"a frame on the monitor's socket is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise Corrupt("a frame on the monitor's socket is not a JSON object")
    return fields


class Outbox:
    """Frames that wait for a non-blocking socket to take them."""

    __slots__ = ("_parts", "size")

    def __init__(self) -> None:
        self._parts: list[tuple[bytes, tuple[int, ...]]] = []
        self.size = 0

    def put(self, data: bytes, fds: Sequence[int] = ()) -> None:
        """Queue bytes; the descriptors are copied, the caller keeps its own."""
        self._parts.append((data, tuple(os.dup(fd) for fd in fds)))
        self.size += len(data)

    def flush(self, sock: socket.socket) -> bool:
        """Send what goes; True when all is gone. Raises OSError but for a full socket."""
        while self._parts:
            data, fds = self._parts[0]
            try:
                sent = _send(sock, data, fds)
            except BlockingIOError:
                return False
            self.size -= sent
            for fd in fds:
                os.close(fd)
            self._parts[0] = (data[sent:], ())
            if sent == len(data):
                self._parts.pop(0)
        return True

    def close(self) -> None:
        """Forget everything."""
        for _, fds in self._parts:
            for fd in fds:
                os.close(fd)
        self._parts.clear()


def _send(sock: socket.socket, data: bytes, fds: tuple[int, ...]) -> int:
    ancillary = []
    if fds:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))]
    return sock.sendmsg([data], ancillary, socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)


def receive(sock: socket.socket, decoder: Decoder) -> list[Frame] | None:
    """Frames that came; None when the other side has closed. Raises BlockingIOError, OSError."""
    data, fds = fdpass.receive(sock, READ)
    if not data and not fds:
        return None
    return decoder.feed(data, fds)


def send_blocking(sock: socket.socket, fields: Fields, fds: Sequence[int] = ()) -> None:
    """For a caller that may wait."""
    fdpass.send(sock, encode(fields, fds), fds)
