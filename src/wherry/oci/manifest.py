"""Descriptors, manifests and indexes (image-spec 1.1; Docker's schema 2 has the same shape)."""

from typing import Final

import msgspec

from wherry.kit.errors import InvalidInput, NotFound, Unsupported
from wherry.oci.digest import Digest
from wherry.oci.platform import Platform, matches

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD: Final = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_FOREIGN_LAYER: Final = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

INDEX_TYPES: Final = (OCI_INDEX, DOCKER_INDEX)
MANIFEST_TYPES: Final = (OCI_MANIFEST, DOCKER_MANIFEST)

MAX_MANIFEST_BYTES: Final = 4 << 20
"""Largest manifest or index accepted (distribution-spec asks registries for at least 4 MiB)."""


class Descriptor(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What a blob is, how large, and its digest. `size` is in bytes."""

    media_type: str
    digest: Digest
    size: int
    urls: tuple[str, ...] = ()
    annotations: dict[str, str] | None = None
    platform: Platform | None = None
    artifact_type: str | None = None


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One image for one platform: its configuration and its layers, lowest first."""

    schema_version: int
    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str = ""
    artifact_type: str | None = None
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


class Index(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A list of manifests, usually one a platform."""

    schema_version: int
    manifests: tuple[Descriptor, ...]
    media_type: str = ""
    artifact_type: str | None = None
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


def decode(data: bytes, media_type: str) -> Manifest | Index:
    """Read a manifest or an index by its media type.

    Raises InvalidInput for broken bytes, Unsupported for another media type (schema 1 included).
    """
    if media_type not in MANIFEST_TYPES + INDEX_TYPES:
        raise Unsupported(f"unsupported manifest media type {media_type!r}")
    if len(data) > MAX_MANIFEST_BYTES:
        raise InvalidInput(f"manifest of {len(data)} bytes is larger than {MAX_MANIFEST_BYTES}")
    kind: type[Manifest] | type[Index] = Index if media_type in INDEX_TYPES else Manifest
    try:
        value = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"broken manifest ({media_type}): {error}") from error
    if value.schema_version != 2:
        raise Unsupported(f"unsupported manifest schema version {value.schema_version}")
    return value


def media_type_of(data: bytes) -> str:
    """The media type a manifest claims for itself, or by its shape. Raises InvalidInput."""
    try:
        probe = msgspec.json.decode(data, type=_Probe)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"broken manifest: {error}") from error
    if probe.media_type:
        return probe.media_type
    return OCI_INDEX if bytes(probe.manifests) else OCI_MANIFEST


class _Probe(msgspec.Struct, rename="camel"):
    media_type: str = ""
    manifests: msgspec.Raw = msgspec.Raw()


def select(index: Index, wanted: Platform) -> Descriptor:
    """The entry for a platform; its very variant before an older one that also runs.

    Entries without a platform are not looked at. Raises NotFound with Docker's text.
    """
    offered = [entry for entry in index.manifests if entry.platform is not None]
    running = [entry for entry in offered if entry.platform and matches(wanted, entry.platform)]
    if not running:
        raise NotFound(f"no matching manifest for {wanted} in the manifest list entries")
    return max(running, key=lambda entry: _rank(wanted, entry))


def _rank(wanted: Platform, entry: Descriptor) -> tuple[bool, str]:
    """`max` keeps the first of equals, and among arm's variants the newest is best."""
    variant = entry.platform.variant if entry.platform else ""
    return variant == wanted.variant, variant
