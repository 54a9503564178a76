"""What an image's name stands for: its manifest, or the index that the manifest came with."""

from collections.abc import Iterable

from wherry.dockerapi.images import (
    AttestationData,
    ImageData,
    ImageManifest,
    ImageManifestSize,
    UnpackedSize,
)
from wherry.engine.engine import Engine
from wherry.engine.images.config import stored
from wherry.engine.records import ImageRecord
from wherry.kit.errors import Corrupt, InvalidInput, NotFound, Unsupported
from wherry.oci import blobs
from wherry.oci import manifest as manifests
from wherry.oci.digest import Digest
from wherry.oci.manifest import Descriptor, Index, Manifest

_KIND = "vnd.docker.reference.type"
_ATTESTED = "vnd.docker.reference.digest"


def descriptor(engine: Engine, image: ImageRecord) -> Descriptor:
    """Of the index where there is one, else of the manifest. Blocking. Raises NotFound, Corrupt."""
    found = _index(engine, image)
    if found is None:
        return stored(engine, image).descriptor
    digest, data, _ = found
    return Descriptor(manifests.media_type_of(data), digest, len(data))


def described(engine: Engine, image: ImageRecord) -> tuple[ImageManifest, ...]:
    """All manifests of the image, those that are not here as well. Blocking."""
    found = _index(engine, image)
    entries = found[2].manifests if found else (stored(engine, image).descriptor,)
    return tuple(_described(engine, image, entry) for entry in entries)


def _index(engine: Engine, image: ImageRecord) -> tuple[Digest, bytes, Index] | None:
    """The newest that is here and has the image in it."""
    for digest in (each.index_digest for each in reversed(image.provenance)):
        try:
            data = blobs.read(engine.blobs, digest, manifests.MAX_MANIFEST_BYTES) if digest else b""
            value = manifests.decode(data, manifests.media_type_of(data)) if data else None
        except (NotFound, Corrupt, InvalidInput, Unsupported):
            continue
        if isinstance(value, Index) and digest and _has(value, image.manifest):
            return digest, data, value
    return None


def _has(index: Index, manifest: Digest) -> bool:
    return any(entry.digest == manifest for entry in index.manifests)


def _described(engine: Engine, image: ImageRecord, entry: Descriptor) -> ImageManifest:
    content, complete = _content(engine, entry)
    ours = entry.digest == image.manifest
    unpacked = image.size if ours else 0
    notes = entry.annotations or {}
    attests = notes.get(_KIND) == "attestation-manifest"
    return ImageManifest(
        id=entry.digest,
        descriptor=entry,
        available=complete,
        size=ImageManifestSize(content + unpacked, content),
        kind="attestation" if attests else _kind(entry),
        image_data=None if attests else _image_data(engine, image, entry, unpacked),
        attestation_data=AttestationData(notes.get(_ATTESTED, "")) if attests else None,
    )


def _kind(entry: Descriptor) -> str:
    known = entry.platform is None or entry.platform.os != "unknown"
    return "image" if known and entry.media_type in manifests.MANIFEST_TYPES else "unknown"


def _image_data(
    engine: Engine, image: ImageRecord, entry: Descriptor, unpacked: int
) -> ImageData | None:
    ours = entry.digest == image.manifest
    platform = entry.platform or (stored(engine, image).platform if ours else None)
    if _kind(entry) != "image" or platform is None:
        return None
    users = [each.id for each in engine.containers if ours and each.record.image == image.id]
    return ImageData(platform, tuple(users), UnpackedSize(unpacked))


def _content(engine: Engine, entry: Descriptor) -> tuple[int, bool]:
    """Bytes of what is here of a manifest, and whether that is all."""
    try:
        data = blobs.read(engine.blobs, entry.digest, manifests.MAX_MANIFEST_BYTES)
        value = manifests.decode(data, entry.media_type)
    except (NotFound, Corrupt, InvalidInput, Unsupported):
        return 0, False
    parts = (value.config, *value.layers) if isinstance(value, Manifest) else ()
    sizes = list(_sizes(engine, {each.digest for each in parts}))
    return len(data) + sum(filter(None, sizes)), None not in sizes


def _sizes(engine: Engine, digests: Iterable[Digest]) -> Iterable[int | None]:
    for digest in digests:
        try:
            yield engine.blobs.stat(digest)
        except NotFound:
            yield None
