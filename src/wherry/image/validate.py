"""Recompute every digest and size of an image."""

import hashlib
from collections.abc import Iterator

from wherry.image.image import StoredImage
from wherry.image.layers import CHUNK, diff_id_of
from wherry.kit.errors import Corrupt, NotFound, WherryError
from wherry.oci import digest as digests
from wherry.oci.blobs import BlobStore
from wherry.oci.manifest import Descriptor


def validate(image: StoredImage) -> None:
    """Raises Corrupt with all that is wrong, one problem a line."""
    found = list(problems(image))
    if found:
        raise Corrupt("\n".join(found))


def problems(image: StoredImage) -> Iterator[str]:
    """What is wrong with an image; nothing where it is sound. Reads every byte of it twice."""
    try:
        manifest = image.manifest
        yield from _blob(image.store, image.descriptor, "manifest")
        yield from _blob(image.store, manifest.config, "configuration")
        diff_ids = image.config.rootfs.diff_ids
    except WherryError as error:
        yield str(error)
        return
    for number, (layer, diff_id) in enumerate(zip(manifest.layers, diff_ids, strict=True)):
        wrong = list(_blob(image.store, layer, f"layer {number}"))
        yield from wrong
        if not wrong:
            yield from _diff_id(image.store, layer, diff_id, number)


def _blob(store: BlobStore, blob: Descriptor, what: str) -> Iterator[str]:
    try:
        size = store.stat(blob.digest)
    except NotFound as error:
        yield f"{what}: {error}"
        return
    if size != blob.size:
        yield f"{what}: blob {blob.digest} has {size} bytes, its descriptor says {blob.size}"
    actual = _digest_of(store, blob.digest)
    if actual != blob.digest:
        yield f"{what}: blob {blob.digest} has the digest {actual}"


def _digest_of(store: BlobStore, digest: digests.Digest) -> str:
    algorithm = digests.algorithm_of(digest)
    hashed = hashlib.new(algorithm)
    with store.open(digest) as file:
        while data := file.read(CHUNK):
            hashed.update(data)
    return f"{algorithm}:{hashed.hexdigest()}"


def _diff_id(
    store: BlobStore, layer: Descriptor, expected: digests.Digest, number: int
) -> Iterator[str]:
    try:
        actual = diff_id_of(store, layer.digest)
    except Corrupt as error:
        yield f"layer {number}: {error}"
        return
    if actual != expected:
        yield f"layer {number}: blob {layer.digest} unpacks to {actual}, not to {expected}"
