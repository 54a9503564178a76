"""A log's files, opened at one instant, and their bytes."""

import os
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from wherry.monitor.protocol import LogConfig

CHUNK = 1 << 18


class Segment(NamedTuple):
    """An open file of the log; whoever takes it closes it."""

    fd: int
    compressed: bool


class LogFiles(NamedTuple):
    """All segments, oldest first; `size` is how much of the last belongs to the instant (bytes).

    The descriptors are the holder's; several may share a file position, so reads name theirs.
    """

    driver: str
    fds: tuple[int, ...]
    compressed: tuple[bool, ...]
    size: int


def open_segments(config: LogConfig) -> list[Segment]:
    """The log's files, oldest first. Right only while no one rotates them."""
    found = []
    for number in range(config.max_file - 1, 0, -1):
        for suffix in ("", ".gz"):
            try:
                found.append(open_segment(f"{config.path}.{number}{suffix}", bool(suffix)))
                break
            except FileNotFoundError:
                continue
    found.append(open_segment(config.path, False))
    return found


def open_segment(path: str, compressed: bool) -> Segment:
    """One file."""
    return Segment(os.open(path, os.O_RDONLY | os.O_CLOEXEC), compressed)


def segment_size(files: LogFiles, number: int) -> int:
    """Bytes of a segment that belong to the instant."""
    if number == len(files.fds) - 1:
        return files.size
    return os.fstat(files.fds[number]).st_size


def chunks(files: LogFiles, number: int, start: int = 0) -> Iterator[bytes]:
    """The plain bytes of a segment from an offset on; of the last one only up to the instant."""
    limit = files.size if number == len(files.fds) - 1 else None
    if not files.compressed[number]:
        yield from _raw(files.fds[number], start, limit)
        return
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
    for data in _raw(files.fds[number], 0, None):
        plain = inflate.decompress(data, CHUNK)
        while plain:
            yield plain
            plain = inflate.decompress(inflate.unconsumed_tail, CHUNK)


def _raw(fd: int, start: int, limit: int | None) -> Iterator[bytes]:
    at = start
    while limit is None or at < limit:
        data = os.pread(fd, CHUNK if limit is None else min(CHUNK, limit - at), at)
        if not data:
            return
        yield data
        at += len(data)
