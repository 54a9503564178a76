"""One image, or an index of several, read lazily from a blob store."""

from functools import cached_property
from typing import Protocol

from wherry.image.errors import NoSuchPlatform
from wherry.kit.errors import Corrupt, InvalidInput, NotFound, Unsupported
from wherry.oci import blobs
from wherry.oci import config as configs
from wherry.oci import digest as digests
from wherry.oci import manifest as manifests
from wherry.oci.blobs import BlobStore
from wherry.oci.config import ImageConfig
from wherry.oci.digest import Digest
from wherry.oci.manifest import Descriptor, Index, Manifest
from wherry.oci.platform import Platform, matches

MAX_CONFIG_BYTES = 16 << 20
MAX_NESTING = 8


class Image(Protocol):
    """An image for one platform. It never changes; a change gives another one."""

    @property
    def store(self) -> BlobStore:
        """Where its blobs are."""
        ...

    @property
    def digest(self) -> Digest:
        """The manifest's digest."""
        ...

    @property
    def id(self) -> Digest:
        """The configuration's digest: what Docker calls the image id."""
        ...

    @property
    def manifest_bytes(self) -> bytes:
        """The manifest as it was stored."""
        ...

    @property
    def manifest(self) -> Manifest:
        """The manifest as a value."""
        ...

    @property
    def config_bytes(self) -> bytes:
        """The configuration as it was stored."""
        ...

    @property
    def config(self) -> ImageConfig:
        """The configuration as a value."""
        ...


class StoredImage:
    """`Image` over a store: nothing is read before it is asked for, and then once."""

    def __init__(self, store: BlobStore, digest: Digest) -> None:
        """`digest` is the manifest's; see `open_image` for checking it at once."""
        self.store = store
        self.digest = digest

    @cached_property
    def manifest_bytes(self) -> bytes:
        """Raises NotFound, Corrupt."""
        return blobs.read(self.store, self.digest, manifests.MAX_MANIFEST_BYTES)

    @cached_property
    def manifest(self) -> Manifest:
        """Raises NotFound, Corrupt, Unsupported."""
        value = _decode(self.manifest_bytes, self.digest)
        if isinstance(value, Index):
            raise Corrupt(f"{self.digest} is an index where an image manifest was expected")
        return value

    @property
    def descriptor(self) -> Descriptor:
        """How an index names this image."""
        media_type = manifests.media_type_of(self.manifest_bytes)
        return Descriptor(media_type, self.digest, len(self.manifest_bytes))

    @property
    def id(self) -> Digest:
        """The configuration's digest."""
        return self.manifest.config.digest

    @cached_property
    def config_bytes(self) -> bytes:
        """Raises NotFound, Corrupt."""
        return blobs.read(self.store, self.id, MAX_CONFIG_BYTES)

    @cached_property
    def config(self) -> ImageConfig:
        """Raises NotFound, Corrupt; also where it and the manifest disagree on the layers."""
        value = configs.decode(self.config_bytes)
        wanted, offered = len(value.rootfs.diff_ids), len(self.manifest.layers)
        if wanted != offered:
            raise Corrupt(f"image {self.id} has {offered} layers, its configuration {wanted}")
        return value

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """Lowest first."""
        return self.manifest.layers

    @property
    def platform(self) -> Platform:
        """What it runs on, as its configuration says."""
        config = self.config
        return Platform(config.architecture, config.os or "linux", config.variant)


def open_image(store: BlobStore, digest: Digest, platform: Platform | None = None) -> StoredImage:
    """The image with this manifest digest, or the platform's one from an index.

    Raises NotFound, NoSuchPlatform, Corrupt, Unsupported.
    """
    for _ in range(MAX_NESTING):
        data = blobs.read(store, digest, manifests.MAX_MANIFEST_BYTES)
        value = _decode(data, digest)
        if isinstance(value, Manifest):
            return StoredImage(store, digest)
        digest = choose(store, value, platform).digest
    raise Corrupt(f"indexes are nested deeper than {MAX_NESTING} around {digest}")


def choose(store: BlobStore, index: Index, wanted: Platform | None) -> Descriptor:
    """The entry of an index for a platform, among those whose blobs are here.

    Without a platform the first one. Raises NoSuchPlatform.
    """
    present = [entry for entry in index.manifests if _present(store, entry)]
    if wanted is None:
        if present:
            return present[0]
        raise NoSuchPlatform("no image of the index is in the content store")
    return _best(store, present, wanted)


def _best(store: BlobStore, entries: list[Descriptor], wanted: Platform) -> Descriptor:
    try:
        return manifests.select(Index(2, tuple(entries)), wanted)
    except NotFound:
        # entries that say nothing of their platform: their configuration or their children do
        for entry in entries:
            if entry.platform is None and _runs_on(store, entry, wanted):
                return entry
    raise NoSuchPlatform(f"no matching manifest for {wanted} in the manifest list entries")


def _runs_on(store: BlobStore, entry: Descriptor, wanted: Platform) -> bool:
    try:
        return matches(wanted, open_image(store, entry.digest, wanted).platform)
    except (NotFound, Corrupt, Unsupported):
        return False


def _present(store: BlobStore, entry: Descriptor) -> bool:
    """Attestations ride along in indexes with the platform unknown/unknown; they are no images."""
    if entry.platform and entry.platform.os == "unknown":
        return False
    try:
        store.stat(entry.digest)
    except NotFound:
        return False
    return True


def _decode(data: bytes, digest: Digest) -> Manifest | Index:
    try:
        return manifests.decode(data, manifests.media_type_of(data))
    except InvalidInput as error:
        raise Corrupt(f"blob {digest}: {error}") from error


def describe(data: bytes, media_type: str) -> Descriptor:
    """The descriptor of some bytes."""
    return Descriptor(media_type, digests.of_bytes(data), len(data))
