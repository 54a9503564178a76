"""One pass over a layer's bytes: inflate them, and the digests of both forms.

A thread reads, inflates and hashes ahead (all of it outside the interpreter's lock), so that a
second processor is used while the first one makes files.
"""

import hashlib
import queue
import threading
from collections.abc import Iterator
from itertools import chain
from types import TracebackType

from wherry.kit.errors import Unavailable
from wherry.layer.errors import BrokenArchive
from wherry.oci.compression import Readable, detect, plain_pieces, read_pieces
from wherry.oci.digest import Digest, from_hex

_AHEAD = 8  # pieces, each at most compression.PIECE
_PATIENCE = 1.0  # seconds


class Tally:
    """Digest and size of what went through."""

    __slots__ = ("_hash", "size")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size = 0

    def add(self, data: bytes) -> None:
        """Count and hash."""
        self._hash.update(data)
        self.size += len(data)

    def through(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The same pieces, counted."""
        for piece in pieces:
            self.add(piece)
            yield piece

    @property
    def digest(self) -> Digest:
        """The sha256 digest so far."""
        return from_hex(self._hash.hexdigest())


class Intake:
    """Iterate for the plain pieces; after the last one `stored` and `plain` are complete.

    `known`: somebody else makes the digest of the stream as it is; it is not made again, and that
    of a plain stream is the same one.
    """

    def __init__(self, stream: Readable, *, known: bool = False) -> None:
        self._known = known
        self.compressed = False
        self.stored = Tally()
        self.plain = Tally()
        self._queue: queue.Queue[bytes | BaseException | None] = queue.Queue(_AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(stream,), daemon=True)

    def __enter__(self) -> "Intake":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._drain()
        # A thread that still sits in read() of a stalled stream ends after its next piece.
        self._thread.join(_PATIENCE)

    def __iter__(self) -> Iterator[bytes]:
        while (piece := self._queue.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The plain pieces, with both tallies kept; where nothing is compressed they are one."""
        first = next(pieces, b"")
        if detect(first) == "none":
            self.stored = self.plain
            return self._tallied(self.plain, chain([first], pieces))
        self.compressed = True
        stored = self._tallied(self.stored, chain([first], pieces))
        return self.plain.through(plain_pieces(stored, BrokenArchive))

    def _tallied(self, tally: Tally, pieces: Iterator[bytes]) -> Iterator[bytes]:
        return pieces if self._known else tally.through(pieces)

    def _drain(self) -> None:
        try:
            while True:
                self._queue.get_nowait()
        except queue.Empty:
            return

    def _run(self, stream: Readable) -> None:
        try:
            for piece in self._counted(read_pieces(stream)):
                self._queue.put(piece)
                if self._stopped.is_set():
                    break
        except OSError as error:
            self._queue.put(Unavailable(f"the layer's stream cannot be read: {error}"))
        except BaseException as error:  # noqa: BLE001 - raised again where the pieces are taken
            self._queue.put(error)
        else:
            self._queue.put(None)
