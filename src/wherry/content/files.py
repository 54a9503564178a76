"""The blob store: a folder in OCI layout. Plain blocking code, safe to call from many threads."""

import os
from collections.abc import Iterator
from typing import BinaryIO

from wherry.content import layout
from wherry.content.ingest import FileIngest
from wherry.content.lease import Lease
from wherry.kit.errors import NotFound
from wherry.oci import digest as digests
from wherry.oci.digest import Digest


class FileStore:
    """`wherry.oci.blobs.BlobStore` in a folder.

    A second writer of a ref gets IngestBusy at once: waiting is the caller's business, who knows
    whether a thread may block.
    """

    def __init__(self, root: str, lease: Lease | None = None) -> None:
        """Create the layout where it is missing; `lease` takes in all that is written or asked."""
        layout.create(root)
        self.root = root
        self._lease = lease

    def leased(self, lease: Lease) -> "FileStore":
        """The same store; every blob looked up or committed through it is added to the lease."""
        return FileStore(self.root, lease)

    def open(self, digest: Digest) -> BinaryIO:
        """The blob's bytes. Raises NotFound."""
        try:
            return open(layout.blob_path(self.root, digest), "rb")
        except FileNotFoundError:
            raise _missing(digest) from None

    def path(self, digest: Digest) -> str:
        """Where the blob is. Raises NotFound."""
        self.stat(digest)
        return layout.blob_path(self.root, digest)

    def stat(self, digest: Digest) -> int:
        """Size in bytes. Raises NotFound."""
        path = layout.blob_path(self.root, digest)
        if self._lease:
            self._lease.add(digest)
        try:
            return os.stat(path).st_size
        except FileNotFoundError:
            raise _missing(digest) from None

    def writer(
        self, ref: str, *, expected: Digest | None = None, size: int | None = None
    ) -> FileIngest:
        """Begin or resume an ingest. Raises IngestBusy, StorageFull."""
        if self._lease is None:
            return FileIngest(self.root, ref, expected, size)
        return _LeasedIngest(self.root, ref, expected, size, self._lease)

    def delete(self, digest: Digest) -> None:
        """Remove a blob. Raises NotFound."""
        try:
            os.unlink(layout.blob_path(self.root, digest))
        except FileNotFoundError:
            raise _missing(digest) from None

    def walk(self) -> Iterator[Digest]:
        """All digests; blobs that come or go meanwhile may or may not be among them."""
        for algorithm, pattern in digests.ENCODED.items():
            folder = f"{self.root}/blobs/{algorithm}"
            if os.path.isdir(folder):
                for name in os.listdir(folder):
                    if pattern.fullmatch(name):
                        yield Digest(f"{algorithm}:{name}")


class _LeasedIngest(FileIngest):
    """Adds the digest to a lease just before the blob becomes visible."""

    def __init__(
        self, root: str, ref: str, expected: Digest | None, size: int | None, lease: Lease
    ) -> None:
        super().__init__(root, ref, expected, size)
        self._lease = lease

    def _check(self, expected: Digest | None) -> Digest:
        actual = super()._check(expected)
        self._lease.add(actual)
        return actual


def _missing(digest: Digest) -> NotFound:
    return NotFound(f"blob {digest} not found in the content store")
