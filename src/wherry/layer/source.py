"""The bytes of an archive, pulled piece by piece; nothing larger than a piece is kept."""

import os
from collections.abc import Iterator

from wherry.layer.errors import BrokenArchive
from wherry.layer.header import BLOCK


class Source:
    """Reads exact amounts from an iterator of byte pieces."""

    __slots__ = ("_at", "_data", "_pieces", "_size", "_view")

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._data = b""
        self._view = memoryview(b"")
        self._at = 0
        self._size = 0

    def _refill(self) -> bool:
        data = next(self._pieces, b"")
        self._data, self._view = data, memoryview(data)
        self._at, self._size = 0, len(data)
        return bool(data)

    def block(self) -> bytes | None:
        """The next header block, None at the clean end of the stream."""
        stop = self._at + BLOCK
        if stop <= self._size:
            block = self._data[self._at : stop]
            self._at = stop
            return block
        if self._at == self._size and not self._refill():
            return None
        return self.take(BLOCK)

    def take(self, count: int) -> bytes:
        """Exactly `count` bytes, a small number. Raises BrokenArchive at the end."""
        stop = self._at + count
        if stop <= self._size:
            data = self._data[self._at : stop]
            self._at = stop
            return data
        return b"".join(bytes(part) for part in self.parts(count))

    def parts(self, count: int) -> Iterator[memoryview]:
        """Exactly `count` bytes in parts, each valid until the next. Raises BrokenArchive."""
        while count > 0:
            if self._at == self._size and not self._refill():
                raise BrokenArchive("the tar archive ends early")
            part = self._view[self._at : self._at + count]
            self._at += len(part)
            count -= len(part)
            yield part

    def write_to(self, descriptor: int, count: int) -> None:
        """Copy exactly `count` bytes to a file at its position."""
        stop = self._at + count
        if stop <= self._size and os.write(descriptor, self._view[self._at : stop]) == count:
            self._at = stop
            return
        if stop <= self._size:
            os.lseek(descriptor, 0, os.SEEK_SET)  # a short write: start again, piece by piece
        for part in self.parts(count):
            write_all(descriptor, part)

    def skip(self, count: int) -> None:
        """Pass over `count` bytes."""
        stop = self._at + count
        if stop <= self._size:
            self._at = stop
            return
        for _ in self.parts(count):
            pass

    def drain(self) -> None:
        """Pass over all that is left."""
        while self._refill():
            pass


def write_all(descriptor: int, data: memoryview) -> None:
    """Write everything, however many calls it takes."""
    while data:
        data = data[os.write(descriptor, data) :]
