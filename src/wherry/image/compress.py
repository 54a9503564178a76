"""Compressed layers for a journey: archives bring plain tars, registries want them packed."""

from typing import Final

import msgspec

from wherry.image.image import StoredImage
from wherry.image.layers import CHUNK
from wherry.kit.ids import new_id
from wherry.oci import blobs
from wherry.oci import manifest as manifests
from wherry.oci.blobs import BlobStore, Ingest
from wherry.oci.compression import gzip_encoder
from wherry.oci.digest import Digest
from wherry.oci.manifest import Descriptor

_PLAIN: Final = (manifests.OCI_LAYER, "application/vnd.docker.image.rootfs.diff.tar")


def gzip_layers(image: StoredImage, known: dict[Digest, Descriptor] | None = None) -> StoredImage:
    """The image with every plain layer gzipped; same configuration, so the same image id.

    `known` is looked up and filled: plain digest → compressed layer. Keep it between calls (and
    the blobs leased or named by a manifest): packing again may give another digest.
    """
    packed = {} if known is None else known
    layers = tuple(_packed(image.store, layer, packed) for layer in image.layers)
    if layers == image.layers:
        return image
    manifest = msgspec.structs.replace(image.manifest, layers=layers)
    return StoredImage(image.store, blobs.put(image.store, msgspec.json.encode(manifest)))


def _packed(store: BlobStore, layer: Descriptor, known: dict[Digest, Descriptor]) -> Descriptor:
    if layer.media_type not in _PLAIN:
        return layer
    if layer.digest not in known:
        digest = _gzip(store, layer.digest)
        docker = layer.media_type.startswith("application/vnd.docker.")
        media_type = manifests.DOCKER_LAYER_GZIP if docker else manifests.OCI_LAYER_GZIP
        known[layer.digest] = Descriptor(media_type, digest, store.stat(digest))
    return known[layer.digest]


def _gzip(store: BlobStore, digest: Digest) -> Digest:
    with store.writer(f"gzip-{new_id()}") as ingest:
        try:
            _copy(store, digest, ingest)
            return ingest.commit()
        except BaseException:
            ingest.abort()
            raise


def _copy(store: BlobStore, digest: Digest, ingest: Ingest) -> None:
    compressor = gzip_encoder()
    with store.open(digest) as file:
        while data := file.read(CHUNK):
            ingest.write(compressor.compress(data))
    ingest.write(compressor.flush())
