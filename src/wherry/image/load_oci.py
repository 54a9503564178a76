"""Archives in OCI layout (image-spec, image-layout.md), nested indexes included."""

from wherry.image import load_docker
from wherry.image.errors import BadArchive, LyingArchive, NoSuchPlatform
from wherry.image.image import MAX_NESTING, StoredImage, open_image
from wherry.image.loaded import LoadedImage, check_system, familiar_names
from wherry.image.shelf import Shelf
from wherry.kit.errors import Corrupt, InvalidInput, NotFound
from wherry.oci import blobs, platform
from wherry.oci import digest as digests
from wherry.oci import manifest as manifests
from wherry.oci.digest import Digest
from wherry.oci.manifest import Descriptor, Index, Manifest

FULL_NAME = "io.containerd.image.name"
REF_NAME = "org.opencontainers.image.ref.name"


def load(shelf: Shelf) -> list[LoadedImage]:
    """All images of `index.json`, one per target with all its names.

    Raises BadArchive, LyingArchive.
    """
    index = shelf.decode("index.json", Index)
    names: dict[Digest, list[str]] = {}
    loaded: dict[Digest, LoadedImage] = {}
    for entry in index.manifests:
        if entry.platform and entry.platform.os == "unknown":
            continue
        names.setdefault(entry.digest, []).extend(_names(entry))
        if entry.digest not in loaded:
            loaded[entry.digest] = _load_target(shelf, entry)
    docker = _docker_names(shelf)
    return [
        image._replace(names=familiar_names([*names[target], *docker.get(image.config, ())]))
        for target, image in loaded.items()
    ]


def _names(entry: Descriptor) -> list[str]:
    """Docker and containerd write the whole name; others write it, or a bare tag, as ref.name."""
    notes = entry.annotations or {}
    name = notes.get(FULL_NAME) or notes.get(REF_NAME, "")
    return [name] if ":" in name and "@" not in name else []


def _docker_names(shelf: Shelf) -> dict[Digest, tuple[str, ...]]:
    """`manifest.json` of an archive that is both knows names that the index may lack."""
    if "manifest.json" not in shelf:
        return {}
    found: dict[Digest, tuple[str, ...]] = {}
    for item in load_docker.items(shelf):
        raw = shelf.read(item.config, manifests.MAX_MANIFEST_BYTES)
        found[digests.of_bytes(raw)] = item.repo_tags or ()
    return found


def _load_target(shelf: Shelf, entry: Descriptor) -> LoadedImage:
    _claim_tree(shelf, entry, 0)
    try:
        image = open_image(shelf.store, entry.digest, platform.host())
    except NoSuchPlatform:
        image = open_image(shelf.store, entry.digest)
    _check_layers(shelf, image)
    return LoadedImage(entry.digest, image.digest, image.id, ())


def _claim_tree(shelf: Shelf, entry: Descriptor, depth: int) -> None:
    """Take in a manifest and all below it; an index may name platforms that are not here."""
    if depth > MAX_NESTING:
        raise BadArchive(f"image archive: indexes are nested deeper than {MAX_NESTING}")
    data = _claim_manifest(shelf, entry)
    value = _decode(data, entry)
    if isinstance(value, Manifest):
        for blob in (value.config, *value.layers):
            _claim_blob(shelf, blob)
        return
    for child in value.manifests:
        if _member(child) in shelf:
            _claim_tree(shelf, child, depth + 1)


def _claim_manifest(shelf: Shelf, entry: Descriptor) -> bytes:
    _claim_blob(shelf, entry)
    try:
        return blobs.read(shelf.store, entry.digest, manifests.MAX_MANIFEST_BYTES)
    except Corrupt as error:
        raise BadArchive(f"image archive: {error}") from error


def _decode(data: bytes, entry: Descriptor) -> Manifest | Index:
    try:
        return manifests.decode(data, entry.media_type or manifests.media_type_of(data))
    except InvalidInput as error:
        raise BadArchive(f"image archive: {entry.digest}: {error}") from error


def _claim_blob(shelf: Shelf, blob: Descriptor) -> None:
    """A blob that the archive leaves out may already be in the store."""
    if _member(blob) in shelf:
        shelf.claim(_member(blob), blob.digest)
    try:
        size = shelf.store.stat(blob.digest)
    except NotFound:
        raise BadArchive(f"image archive has no blob {blob.digest}") from None
    if size != blob.size:
        raise LyingArchive(f"blob {blob.digest} has {size} bytes, its descriptor says {blob.size}")


def _member(blob: Descriptor) -> str:
    checked = digests.parse(blob.digest)
    return f"blobs/{digests.algorithm_of(checked)}/{digests.hex_of(checked)}"


def _check_layers(shelf: Shelf, image: StoredImage) -> None:
    """The digests cover the compressed bytes only; what comes out must be what the id promises."""
    try:
        check_system(image.config)
        wanted = image.config.rootfs.diff_ids
        for number, (layer, diff_id) in enumerate(zip(image.layers, wanted, strict=True)):
            actual = shelf.diff_id(layer.digest)
            if actual != diff_id:
                raise LyingArchive(
                    f'invalid diffID for layer {number}: expected "{diff_id}", got "{actual}"'
                )
    except LyingArchive:
        raise
    except Corrupt as error:
        raise LyingArchive(f"image archive: {error}") from error
