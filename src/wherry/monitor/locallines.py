"""The `local` log driver's format: ours, small and quick to read from both ends.

An entry is `length stamp flags text length`: `length` is of stamp, flags and text together, four
bytes big endian, before and after, so that a reader finds the last N entries from the end; `stamp`
eight bytes, nanoseconds since the epoch; `flags` one byte, the stream (1 stdout, 2 stderr) plus
0x80 where the text is a part of a line (no newline followed it). The newline is not stored.
"""

import struct

from wherry.monitor.loglines import Clock, Piece

HEAD = struct.Struct(">IqB")
TAIL = struct.Struct(">I")
PARTIAL = 0x80
OVERHEAD = HEAD.size + TAIL.size


class LocalLines:
    """Encodes pieces into entries."""

    __slots__ = ("_clock",)

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def encode(self, stream: int, piece: Piece) -> list[bytes]:
        """One entry for each line of the piece."""
        flags = stream if piece.whole else stream | PARTIAL
        if piece.stamp is not None:
            return [_entry(piece.text, piece.stamp, flags)]
        lines = piece.text.split(b"\n")
        stamps = self._clock.stamps(len(lines))
        return [_entry(line, ns, flags) for line, ns in zip(lines, stamps, strict=True)]


def _entry(text: bytes, stamp: int, flags: int) -> bytes:
    length = len(text) + 9
    return HEAD.pack(length, stamp, flags) + text + TAIL.pack(length)
