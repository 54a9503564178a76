"""A file that another process still writes, read as far as that one says.

What is said goes through a pipe: eight bytes each time, how many bytes of the file are there; the
last one has its top bit set. A pipe that ends before that means that the writer gave up.
"""

import os

from wherry.kit.errors import Unavailable

_WORD = 8
_LAST = 1 << 63
STEP = 4 << 20
"""Bytes that have to come together before they are told of."""


class Growing:
    """The reading end: a stream."""

    def __init__(self, data: int, notices: int) -> None:
        """Takes both descriptors over."""
        self._data, self._notices = data, notices
        self._at = self._known = 0
        self._complete = False

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, none at the end. Raises Unavailable where the writer gave up."""
        while self._at == self._known and not self._complete:
            self._listen()
        left = self._known - self._at
        data = os.pread(self._data, left if size < 0 else min(size, left), self._at)
        self._at += len(data)
        return data

    def close(self) -> None:
        """Close both descriptors."""
        os.close(self._data)
        os.close(self._notices)

    def _listen(self) -> None:
        word = os.read(self._notices, _WORD)  # written at once, below PIPE_BUF: never in parts
        if not word:
            raise Unavailable("the layer's stream was given up by its writer")
        value = int.from_bytes(word, "little")
        self._complete = bool(value & _LAST)
        self._known = value & ~_LAST


class Teller:
    """The writing end, for one thread. A reader that is gone is no fault."""

    def __init__(self, notices: int) -> None:
        """Takes the descriptor over."""
        self._notices = notices
        self._told = 0

    def grown(self, size: int) -> None:
        """So many bytes are there now."""
        if size - self._told >= STEP:
            self._told = size
            self._tell(size)

    def complete(self, size: int) -> None:
        """These are all."""
        self._tell(size | _LAST)
        self.close()

    def close(self) -> None:
        """Give up, or nothing after `complete`."""
        if self._notices >= 0:
            os.close(self._notices)
            self._notices = -1

    def _tell(self, value: int) -> None:
        if self._notices < 0:
            return
        try:
            os.write(self._notices, value.to_bytes(_WORD, "little"))
        except BrokenPipeError:
            self.close()
