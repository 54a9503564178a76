"""The shape of a blob store: what images and registries are read from and written to.

Only the protocols are here, so that `image` and `remote` need not know `content`, which has the
implementation. `wherry.testing.blobs` has one in memory; both pass the same contract suite.
"""

from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from wherry.kit.errors import Corrupt
from wherry.kit.ids import new_id
from wherry.oci import digest as digests
from wherry.oci.digest import Digest

Bytes = bytes | bytearray | memoryview


class Ingest(Protocol):
    """A blob on its way in; nobody sees it before `commit`. One thread at a time may use it."""

    @property
    def offset(self) -> int:
        """Bytes already there: where a resumed transfer goes on."""
        ...

    def write(self, data: Bytes) -> None:
        """Append. Raises Corrupt once there is more than the expected size."""
        ...

    def fileno(self) -> int:
        """A file that holds the bytes so far, to be read by position; -1 where there is none."""
        ...

    def restart(self) -> None:
        """Drop what is there and begin at offset 0."""
        ...

    def commit(self, expected: Digest | None = None) -> Digest:
        """Check size and digest, make the blob durable and visible. Raises Corrupt."""
        ...

    def close(self) -> None:
        """Stop for now; the bytes stay for the next `writer` of the same ref."""
        ...

    def abort(self) -> None:
        """Give up and remove the bytes."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class BlobStore(Protocol):
    """Blobs by digest. A blob is visible only after its digest was checked."""

    def open(self, digest: Digest) -> BinaryIO:
        """The blob's bytes, seekable. Raises NotFound."""
        ...

    def path(self, digest: Digest) -> str:
        """A path this process can open for reading. Raises NotFound."""
        ...

    def stat(self, digest: Digest) -> int:
        """Size in bytes. Raises NotFound."""
        ...

    def writer(
        self, ref: str, *, expected: Digest | None = None, size: int | None = None
    ) -> Ingest:
        """Begin or resume the ingest named `ref`.

        Raises Conflict while another holds it, whoever comes second may wait and ask again.
        """
        ...

    def delete(self, digest: Digest) -> None:
        """Remove a blob. Raises NotFound."""
        ...

    def walk(self) -> Iterator[Digest]:
        """All digests, in no order."""
        ...


def put(store: BlobStore, data: bytes, expected: Digest | None = None) -> Digest:
    """Store a small blob whole. Raises Corrupt where it is not the expected one."""
    digest = digests.of_bytes(data)
    ref = f"put-{new_id()}"  # nobody resumes so small a thing, and two may put the same at once
    with store.writer(ref, expected=expected or digest, size=len(data)) as ingest:
        ingest.write(data)
        return ingest.commit()


def read(store: BlobStore, digest: Digest, limit: int) -> bytes:
    """A small blob whole. Raises NotFound, Corrupt where it has more than `limit` bytes."""
    size = store.stat(digest)
    if size > limit:
        raise Corrupt(f"blob {digest} has {size} bytes where at most {limit} make sense")
    with store.open(digest) as file:
        return file.read()
