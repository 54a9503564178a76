"""What the API tells about images. Sizes in bytes, `created` of lists in seconds."""

from typing import ClassVar

import msgspec

from wherry.dockerapi.container_answers import GraphDriver
from wherry.dockerapi.containers import ContainerConfig
from wherry.dockerapi.names import go_name
from wherry.kit.clock import ZERO
from wherry.oci.manifest import Descriptor
from wherry.oci.platform import Platform


class ImageRootFs(msgspec.Struct, frozen=True, rename=go_name):
    """The digests of the uncompressed layers, lowest first."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(("layers",))

    type: str = "layers"
    layers: tuple[str, ...] | None = None


class ImageMetadata(msgspec.Struct, frozen=True, rename=go_name):
    """What this engine alone knows of the image."""

    last_tag_time: str = ZERO


class ImageManifestSize(msgspec.Struct, frozen=True, rename=go_name):
    """Bytes in the content store, and with the unpacked files."""

    total: int = 0
    content: int = 0


class UnpackedSize(msgspec.Struct, frozen=True, rename=go_name):
    """Bytes of the unpacked files."""

    unpacked: int = 0


class ImageData(msgspec.Struct, frozen=True, rename=go_name):
    """A manifest that is an image: for what, and the ids of its containers."""

    platform: Platform
    containers: tuple[str, ...] = ()
    size: UnpackedSize = UnpackedSize()


class AttestationData(msgspec.Struct, frozen=True, rename=go_name):
    """A manifest that tells of the image with the digest `For`."""

    subject: str = msgspec.field(name="For")


class ImageManifest(msgspec.Struct, frozen=True, rename=go_name):
    """One manifest of an image (API 1.47): an image's, an attestation's or another."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(("image_data", "attestation_data"))

    id: str
    descriptor: Descriptor
    available: bool
    """Whether everything below it is here."""
    size: ImageManifestSize
    kind: str
    image_data: ImageData | None = None
    attestation_data: AttestationData | None = None


class ImageInspect(msgspec.Struct, frozen=True, rename=go_name):
    """GET /images/{name}/json; `config` in its full old form, cut by `api.versions`."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(
        ("variant", "os_version", "descriptor", "manifests")
    )

    id: str = msgspec.field(name="Id")
    repo_tags: tuple[str, ...] = ()
    repo_digests: tuple[str, ...] = ()
    parent: str = ""
    comment: str = ""
    created: str = ""
    """Empty where the image does not tell."""
    container: str = ""
    container_config: ContainerConfig = ContainerConfig()
    docker_version: str = ""
    author: str = ""
    config: ContainerConfig = ContainerConfig()
    architecture: str = ""
    variant: str = ""
    os: str = ""
    os_version: str = ""
    size: int = 0
    virtual_size: int = 0
    graph_driver: GraphDriver = GraphDriver()
    root_fs: ImageRootFs = msgspec.field(name="RootFS", default=ImageRootFs())
    metadata: ImageMetadata = ImageMetadata()
    descriptor: Descriptor | None = None
    manifests: tuple[ImageManifest, ...] | None = None


class ImageSummary(msgspec.Struct, frozen=True, rename=go_name):
    """One entry of GET /images/json; -1 where a number was not asked for."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(("descriptor", "manifests"))

    containers: int = -1
    created: int = 0
    id: str = msgspec.field(name="Id", default="")
    labels: dict[str, str] | None = None
    parent_id: str = msgspec.field(name="ParentId", default="")
    descriptor: Descriptor | None = None
    manifests: tuple[ImageManifest, ...] | None = None
    repo_digests: tuple[str, ...] | None = ()
    repo_tags: tuple[str, ...] | None = ()
    shared_size: int = -1
    size: int = 0
    virtual_size: int = 0


class HistoryEntry(msgspec.Struct, frozen=True, rename=go_name):
    """One step of GET /images/{name}/history, newest first; id `<missing>` below the image."""

    comment: str = ""
    created: int = 0
    created_by: str = ""
    id: str = msgspec.field(name="Id", default="<missing>")
    size: int = 0
    tags: tuple[str, ...] | None = None


class ImageDeleted(msgspec.Struct, frozen=True, omit_defaults=True, rename=go_name):
    """One thing that DELETE /images/{name} took away: a name or an image."""

    deleted: str = ""
    untagged: str = ""


class ImagesPruned(msgspec.Struct, frozen=True, rename=go_name):
    """POST /images/prune."""

    images_deleted: tuple[ImageDeleted, ...] | None = None
    space_reclaimed: int = 0


class BuildCachePruned(msgspec.Struct, frozen=True, rename=go_name):
    """POST /build/prune."""

    caches_deleted: tuple[str, ...] | None = None
    space_reclaimed: int = 0


class SearchResult(msgspec.Struct, frozen=True):
    """One hit of GET /images/search."""

    star_count: int = 0
    is_official: bool = False
    name: str = ""
    is_automated: bool = False
    description: str = ""


class DistributionInspect(msgspec.Struct, frozen=True, rename=go_name):
    """GET /distribution/{name}/json."""

    descriptor: Descriptor
    platforms: tuple[Platform, ...] = ()


class ImageId(msgspec.Struct, frozen=True):
    """POST /commit and POST /containers/{id}/exec."""

    id: str = msgspec.field(name="Id")
