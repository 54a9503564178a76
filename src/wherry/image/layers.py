"""A stored blob as a layer: what media type it has, and the digest of its uncompressed tar."""

import hashlib
from collections.abc import Callable
from typing import Final, NamedTuple

from wherry.image.inflate import Inflated
from wherry.kit.ids import new_id
from wherry.oci import manifest as manifests
from wherry.oci.blobs import BlobStore
from wherry.oci.compression import MAGIC_BYTES, detect
from wherry.oci.digest import Digest
from wherry.oci.manifest import Descriptor

CHUNK: Final = 1 << 20
_MEDIA_TYPES: Final = {
    "none": manifests.OCI_LAYER,
    "gzip": manifests.OCI_LAYER_GZIP,
    "zstd": manifests.OCI_LAYER_ZSTD,
}


class Layer(NamedTuple):
    """A layer in the store."""

    descriptor: Descriptor
    diff_id: Digest


def as_layer(
    store: BlobStore, digest: Digest, diff_id: Callable[[Digest], Digest] | None = None
) -> Layer:
    """Look into a blob. Raises NotFound, Corrupt (broken compression).

    diff_id: who knows what a compressed blob of the store unpacks to.

    bzip2 and xz have no media type, so such a blob is stored once more, plain.
    """
    with store.open(digest) as file:
        compression = detect(file.read(MAGIC_BYTES))
    if compression not in _MEDIA_TYPES:
        digest, compression = _plain(store, digest), "none"
    descriptor = Descriptor(_MEDIA_TYPES[compression], digest, store.stat(digest))
    if compression == "none":
        return Layer(descriptor, digest)
    return Layer(descriptor, diff_id(digest) if diff_id else diff_id_of(store, digest))


def diff_id_of(store: BlobStore, digest: Digest) -> Digest:
    """The sha256 of the uncompressed bytes. Raises NotFound, Corrupt."""
    hashed = hashlib.sha256()
    with store.open(digest) as file:
        stream = Inflated(file)
        while data := stream.read(CHUNK):
            hashed.update(data)
    return Digest("sha256:" + hashed.hexdigest())


def _plain(store: BlobStore, digest: Digest) -> Digest:
    with store.open(digest) as file, store.writer(f"inflate-{new_id()}") as ingest:
        stream = Inflated(file)
        try:
            while data := stream.read(CHUNK):
                ingest.write(data)
            return ingest.commit()
        except BaseException:
            ingest.abort()
            raise
