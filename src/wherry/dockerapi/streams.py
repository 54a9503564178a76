"""Frames of multiplexed output: 1 byte stream, 3 zero bytes, 4 bytes length (big endian), payload.

(API description, ContainerAttach, "Stream format".)
"""

import struct
from collections.abc import Iterator
from typing import Final

from wherry.kit.errors import Corrupt

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2
SYSTEM: Final = 3
"""An error text of the engine in the middle of a stream."""

HEADER_BYTES: Final = 8
RAW_TYPE: Final = "application/vnd.docker.raw-stream"
MULTIPLEXED_TYPE: Final = "application/vnd.docker.multiplexed-stream"
"""Since API 1.42, where stdout and stderr are told apart."""

_HEADER = struct.Struct(">BxxxI")


def header(stream: int, length: int) -> bytes:
    """The eight bytes before a payload."""
    return _HEADER.pack(stream, length)


def frame(stream: int, payload: bytes) -> bytes:
    """A whole frame."""
    return _HEADER.pack(stream, len(payload)) + payload


class Decoder:
    """Splits a byte stream into (stream, payload); keeps what is not complete yet."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames that these bytes complete. Raises Corrupt for an unknown stream."""
        self._rest += data
        at = 0
        while len(self._rest) - at >= HEADER_BYTES:
            stream, length = _HEADER.unpack_from(self._rest, at)
            if stream > SYSTEM:
                raise Corrupt(f"broken stream frame: unknown stream {stream}")
            end = at + HEADER_BYTES + length
            if len(self._rest) < end:
                break
            yield stream, bytes(self._rest[at + HEADER_BYTES : end])
            at = end
        del self._rest[:at]

    def pending(self) -> int:
        """Bytes of a frame that has not ended."""
        return len(self._rest)
