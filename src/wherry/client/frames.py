"""The multiplexed stream of attach and logs (Docker's API, "Stream format").

Unlike `dockerapi.streams.Decoder` this hands data on before its frame is complete: a client shows
what there is, and a log line may be hundreds of megabytes long.
"""

import struct
from collections.abc import Iterator

from wherry.dockerapi.streams import HEADER_BYTES, STDERR, STDOUT, SYSTEM
from wherry.kit.errors import Corrupt, Internal

__all__ = ["STDERR", "STDOUT", "Splitter"]


class Splitter:
    """Frames from bytes that come cut anywhere; data goes on before its frame is complete."""

    __slots__ = ("_head", "_left", "_stream")

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._stream: int = STDOUT

    def runs(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Like `feed`, but neighbours of one stream come as one: a log has a frame a line."""
        number = -1
        held: list[bytes] = []
        for stream, piece in self.feed(data):
            if stream != number and held:
                yield number, b"".join(held)
                held = []
            number = stream
            held.append(piece)
        if held:
            yield number, b"".join(held)

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Pairs of stream number and data. Raises Corrupt, and Internal for the error stream."""
        at = 0
        while at < len(data):
            if self._left:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                yield self._checked(piece)
                continue
            need = HEADER_BYTES - len(self._head)
            self._head += data[at : at + need]
            at += need
            if len(self._head) == HEADER_BYTES:
                self._open_frame()

    def _open_frame(self) -> None:
        self._stream, self._left = struct.unpack(">BxxxL", self._head)
        if self._stream > SYSTEM:
            raise Corrupt(f"unrecognized stream: {self._stream}")
        self._head = b""

    def _checked(self, piece: bytes) -> tuple[int, bytes]:
        if self._stream == SYSTEM:
            raise Internal(f"error from daemon in stream: {piece.decode('utf-8', 'replace')}")
        return self._stream, piece
