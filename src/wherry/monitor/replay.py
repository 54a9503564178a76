"""Reads a log from its beginning until it has caught up with the writer, a chunk at a time.

For a client that asks for `logs` with its attach. It reads the files, so a long log or a slow
client holds up neither the container nor the monitor's memory, and goes over to live output at an
instant at which the file has been read to its end: nothing doubles, nothing is missing.
"""

import os
import zlib

from wherry.monitor.log import Follower, Log
from wherry.monitor.logentries import Entry, decode
from wherry.monitor.segments import Segment

_CHUNK = 1 << 16


class Replay:
    """Entries of the log; `next` gives [] when the reader has caught up."""

    __slots__ = ("_driver", "_follower", "_inflate", "_log", "_rest")

    def __init__(self, log: Log, driver: str) -> None:
        self._log = log
        self._driver = driver
        self._follower: Follower = log.follow(log.open())
        self._rest = b""
        self._inflate = _inflater(self._follower.segments[0]) if self._follower.segments else None

    def next(self) -> list[Entry]:
        """Some entries. Raises OSError."""
        while self._follower.segments:
            data = self._read(self._follower.segments[0])
            if data:
                entries, used = decode(self._driver, self._rest + data)
                self._rest = (self._rest + data)[used:]
                if entries:
                    return entries
            elif len(self._follower.segments) == 1:
                return []
            else:
                self._next_segment()
        return []

    def close(self) -> None:
        """Give the files back."""
        self._log.unfollow(self._follower)

    def _next_segment(self) -> None:
        os.close(self._follower.take().fd)
        self._rest = b""
        self._inflate = _inflater(self._follower.segments[0])

    def _read(self, segment: Segment) -> bytes:
        while data := os.read(segment.fd, _CHUNK):
            if self._inflate is None:
                return data
            plain = self._inflate.decompress(data)
            if plain:
                return plain
        return b""


def _inflater(segment: Segment) -> "zlib._Decompress | None":
    return zlib.decompressobj(16 + zlib.MAX_WBITS) if segment.compressed else None
