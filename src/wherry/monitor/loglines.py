"""Output bytes → log lines and their times, cut as dockerd cuts them."""

import time
from collections.abc import Iterator
from typing import NamedTuple

LIMIT = 16 << 10
"""Bytes of the longest piece; a longer line becomes several pieces (dockerd's copier)."""

SECOND = 1_000_000_000


class Piece(NamedTuple):
    """Text to be logged.

    `whole`: the text is one or more lines, parted by newlines, and a newline followed the last.
    Else it is a part of a line of which more comes (or the end of the stream). `stamp` is the time
    in nanoseconds; None means now, and a different one for each line.
    """

    text: bytes
    whole: bool
    stamp: int | None = None


class Clock:
    """Times that grow, so that a line can be told by its time.

    None ends in a zero digit: RFC3339Nano drops trailing zeros, and without them the nine digits
    can be formatted at once. Whole reads of lines share one look at the system's clock.
    """

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last = 0

    def stamp(self) -> int:
        """One time."""
        return self.stamps(1)[0]

    def stamps(self, count: int) -> list[int]:
        """That many times, a nanosecond or two apart."""
        first = max(time.time_ns(), self.last + 1)
        if count == 1:
            found = [first if first % 10 else first + 1]
        else:
            span = count + count // 9 + 2
            found = [ns for ns in range(first, first + span) if ns % 10][:count]
        self.last = found[-1]
        return found


class Splitter:
    """One stream's bytes → pieces. Holds back the beginning of a line, at most LIMIT bytes."""

    __slots__ = ("_clock", "_partial", "pending")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._partial: int | None = None  # the time of a long line's first piece is that of all
        self.pending = b""

    def feed(self, data: bytes) -> list[Piece]:
        """The pieces that are complete now."""
        whole = self.pending + data if self.pending else data
        cut = whole.rfind(b"\n")
        if len(whole) < LIMIT and self._partial is None:
            self.pending = whole[cut + 1 :]
            return [Piece(whole[:cut], True)] if cut >= 0 else []
        return list(self._long(whole))

    def finish(self) -> list[Piece]:
        """What is left at the end of the stream: a line without a newline."""
        if not self.pending:
            return []
        text, self.pending = self.pending, b""
        return [Piece(text, False, self._partial)]

    def _long(self, whole: bytes) -> Iterator[Piece]:
        lines = whole.split(b"\n")
        rest = lines.pop()
        if self._partial is None and lines and max(map(len, lines)) < LIMIT:
            yield Piece(whole[: len(whole) - len(rest) - 1], True)
        else:
            for line in lines:
                yield from self._line(line)
        parts, self.pending = self._parts(rest)
        yield from parts

    def _line(self, line: bytes) -> Iterator[Piece]:
        parts, rest = self._parts(line)
        yield from parts
        yield Piece(rest, True, self._partial)
        self._partial = None

    def _parts(self, line: bytes) -> tuple[list[Piece], bytes]:
        parts = []
        at = 0
        while len(line) - at >= LIMIT:
            if self._partial is None:
                self._partial = self._clock.stamp()
            parts.append(Piece(line[at : at + LIMIT], False, self._partial))
            at += LIMIT
        return parts, line[at:]
