"""A blob store in memory, with the real one's rules; and what tests look at blobs with."""

import hashlib
import io
import os
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO, Self

from wherry.kit.errors import Conflict, Corrupt, NotFound
from wherry.oci import digest as digests
from wherry.oci.blobs import Bytes
from wherry.oci.digest import Digest


class MemoryStore:
    """`wherry.oci.blobs.BlobStore` over anonymous memory files, so that `path` works too."""

    def __init__(self) -> None:
        self._files: dict[Digest, int] = {}
        self._partial: dict[str, tuple[object, bytes]] = {}
        self._busy: set[str] = set()

    def open(self, digest: Digest) -> BinaryIO:
        """The blob's bytes. Raises NotFound."""
        size = self.stat(digest)
        return io.BytesIO(os.pread(self._files[digest], size, 0))

    def path(self, digest: Digest) -> str:
        """A path below /proc. Raises NotFound."""
        self.stat(digest)
        return f"/proc/{os.getpid()}/fd/{self._files[digest]}"

    def stat(self, digest: Digest) -> int:
        """Size in bytes. Raises NotFound."""
        digests.parse(digest)
        if digest not in self._files:
            raise NotFound(f"blob {digest} not found in memory")
        return os.fstat(self._files[digest]).st_size

    def writer(
        self, ref: str, *, expected: Digest | None = None, size: int | None = None
    ) -> "_MemoryIngest":
        """Begin or resume. Raises Conflict while another holds the ref."""
        if ref in self._busy:
            raise Conflict(f"ingest {ref!r} is being written by another, try again later")
        self._busy.add(ref)
        return _MemoryIngest(self, ref, expected, size)

    def delete(self, digest: Digest) -> None:
        """Remove a blob. Raises NotFound."""
        self.stat(digest)
        os.close(self._files.pop(digest))

    def walk(self) -> Iterator[Digest]:
        """All digests."""
        yield from list(self._files)

    def close(self) -> None:
        """Give the memory back."""
        for digest in self.walk():
            self.delete(digest)

    def resume(self, ref: str, promise: object) -> bytes:
        """What an earlier writer with the same promise left."""
        left = self._partial.pop(ref, None)
        return left[1] if left and left[0] == promise else b""

    def leave(self, ref: str, promise: object, data: bytes) -> None:
        """Keep an ingest's bytes for its next writer."""
        self._busy.discard(ref)
        if data:
            self._partial[ref] = (promise, data)

    def add(self, digest: Digest, data: bytes) -> None:
        """Make a checked blob visible."""
        if digest not in self._files:
            self._files[digest] = os.memfd_create("blob", os.MFD_CLOEXEC)
            os.write(self._files[digest], data)


class _MemoryIngest:
    def __init__(
        self, store: MemoryStore, ref: str, expected: Digest | None, size: int | None
    ) -> None:
        self._store, self._ref, self._expected, self._size = store, ref, expected, size
        self._data = bytearray(store.resume(ref, (expected, size)))
        self._open = True

    @property
    def offset(self) -> int:
        return len(self._data)

    def write(self, data: Bytes) -> None:
        self._data += data
        if self._size is not None and len(self._data) > self._size:
            self.abort()
            raise Corrupt(f"{self._ref!r} is larger than the {self._size} bytes announced")

    def fileno(self) -> int:
        return -1

    def restart(self) -> None:
        self._data.clear()

    def commit(self, expected: Digest | None = None) -> Digest:
        wanted = expected or self._expected
        algorithm = digests.algorithm_of(wanted) if wanted else "sha256"
        actual = Digest(f"{algorithm}:{hashlib.new(algorithm, self._data).hexdigest()}")
        data = bytes(self._data)
        self.abort()
        if self._size is not None and len(data) != self._size:
            raise Corrupt(f"{self._ref!r} has {len(data)} bytes where {self._size} were announced")
        if wanted and wanted != actual:
            raise Corrupt(f"{self._ref!r}: expected digest {wanted}, got {actual}")
        self._store.add(actual, data)
        return actual

    def close(self) -> None:
        if self._open:
            self._store.leave(self._ref, (self._expected, self._size), bytes(self._data))
            self._open = False

    def abort(self) -> None:
        self._data.clear()
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
