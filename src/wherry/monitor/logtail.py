"""Finds the last N entries of a log without decoding what comes before them.

Plain segments are searched from their end; compressed ones are inflated twice, once to count and
once to give out, which takes time but no memory.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

from wherry.monitor.locallines import HEAD, TAIL
from wherry.monitor.segments import CHUNK, LogFiles, chunks, segment_size


class Start(NamedTuple):
    """Where to begin in a segment: a byte offset (plain), or entries to skip (compressed)."""

    number: int
    offset: int = 0
    skip: int = 0


def starts(files: LogFiles, tail: int) -> list[Start]:
    """What to read for the last `tail` entries, oldest segment first; -1 is everything."""
    numbers = range(len(files.fds))
    if tail < 0:
        return [Start(number) for number in numbers]
    found: list[Start] = []
    for number in reversed(numbers):
        if tail <= 0:
            break
        start, entries = _start(files, number, tail)
        found.append(start)
        tail -= entries
    return found[::-1]


def bytes_from(files: LogFiles, start: Start) -> Iterator[bytes]:
    """The segment's bytes from there on."""
    pieces = chunks(files, start.number, start.offset)
    if start.skip:
        pieces = _skipped(files.driver, pieces, start.skip)
    return pieces


def _start(files: LogFiles, number: int, tail: int) -> tuple[Start, int]:
    if files.compressed[number]:
        pieces = _whole_entries(files.driver, chunks(files, number))
        count = sum(len(_ends(files.driver, piece)) for piece in pieces)
        return Start(number, 0, max(0, count - tail)), min(count, tail)
    back = _back_local if files.driver == "local" else _back_json
    offset, entries = back(files.fds[number], segment_size(files, number), tail)
    return Start(number, offset), entries


def _back_json(fd: int, size: int, tail: int) -> tuple[int, int]:
    """Offset of the entry that is `tail` newlines from the end, and how many there are."""
    at, seen = size, 0
    while at > 0:
        length = min(CHUNK, at)
        at -= length
        data = os.pread(fd, length, at)
        end = len(data)
        while (end := data.rfind(b"\n", 0, end)) >= 0:
            seen += 1
            if seen > tail:
                return at + end + 1, tail
    return 0, seen


def _back_local(fd: int, size: int, tail: int) -> tuple[int, int]:
    at, seen = size, 0
    while at > 0 and seen < tail:
        (length,) = TAIL.unpack(os.pread(fd, TAIL.size, at - TAIL.size))
        at -= length + 2 * TAIL.size
        seen += 1
    return max(at, 0), seen


def _skipped(driver: str, pieces: Iterator[bytes], skip: int) -> Iterator[bytes]:
    for piece in _whole_entries(driver, pieces):
        ends = _ends(driver, piece) if skip else []
        if skip < len(ends):
            yield piece[ends[skip - 1] :]
            skip = 0
        elif not ends:
            yield piece
        else:
            skip -= len(ends)


def _whole_entries(driver: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, parted between entries only; what is torn at the end is left out."""
    rest = b""
    for piece in pieces:
        data = rest + piece
        ends = _ends(driver, data)
        end = ends[-1] if ends else 0
        rest = data[end:]
        if end:
            yield data[:end]


def _ends(driver: str, data: bytes) -> list[int]:
    """Offsets behind each complete entry."""
    ends, at = [], 0
    if driver == "local":
        while at + HEAD.size <= len(data):
            at += HEAD.unpack_from(data, at)[0] + 2 * TAIL.size
            if at > len(data):
                break
            ends.append(at)
        return ends
    while at := data.find(b"\n", at) + 1:
        ends.append(at)
    return ends
