"""Docker's own archives: with `manifest.json` (since 1.10), and the older `repositories` form."""

from collections.abc import Iterator

import msgspec

from wherry.image.errors import BadArchive, LyingArchive
from wherry.image.image import MAX_CONFIG_BYTES
from wherry.image.layers import Layer, as_layer
from wherry.image.loaded import LoadedImage, check_system, familiar_names
from wherry.image.shelf import Shelf
from wherry.kit.errors import Corrupt
from wherry.oci import blobs
from wherry.oci import config as configs
from wherry.oci import manifest as manifests
from wherry.oci.config import History
from wherry.oci.digest import Digest
from wherry.oci.manifest import Descriptor, Manifest


class Item(msgspec.Struct, frozen=True, rename="pascal"):
    """One image in `manifest.json`."""

    config: str
    layers: tuple[str, ...] | None = None
    repo_tags: tuple[str, ...] | None = None


def items(shelf: Shelf) -> tuple[Item, ...]:
    """What `manifest.json` says. Raises BadArchive."""
    return shelf.decode("manifest.json", tuple[Item, ...])


def load(shelf: Shelf) -> list[LoadedImage]:
    """All images of `manifest.json`. Raises BadArchive, LyingArchive."""
    return [_load_item(shelf, item) for item in items(shelf)]


def load_old(shelf: Shelf) -> list[LoadedImage]:
    """All images that `repositories` names, each once with all its names."""
    names: dict[str, list[str]] = {}
    for repository, tags in shelf.decode("repositories", dict[str, dict[str, str]]).items():
        for tag, old_id in tags.items():
            names.setdefault(old_id, []).append(f"{repository}:{tag}")
    return [_load_chain(shelf, old_id, tuple(tags)) for old_id, tags in names.items()]


def _load_item(shelf: Shelf, item: Item) -> LoadedImage:
    raw = shelf.read(item.config, MAX_CONFIG_BYTES)
    config = decode_config(item.config, raw)
    check_system(config)
    wanted, names = config.rootfs.diff_ids, item.layers or ()
    if len(wanted) != len(names):
        raise BadArchive(
            f"invalid manifest, layers length mismatch: expected {len(names)}, got {len(wanted)}"
        )
    layers = []
    for number, (name, diff_id) in enumerate(zip(names, wanted, strict=True)):
        layer = take_layer(shelf, name)
        if layer.diff_id != diff_id:
            raise LyingArchive(
                f'invalid diffID for layer {number}: expected "{diff_id}", got "{layer.diff_id}"'
            )
        layers.append(layer.descriptor)
    return _store(shelf, raw, layers, familiar_names(item.repo_tags or ()))


def decode_config(name: str, raw: bytes) -> configs.ImageConfig:
    """Read a configuration; a broken one is the sender's fault. Raises BadArchive."""
    try:
        return configs.decode(raw)
    except Corrupt as error:
        raise BadArchive(f"image archive: {name}: {error}") from error


def take_layer(shelf: Shelf, name: str) -> Layer:
    """A member as a layer in the store. Raises BadArchive, LyingArchive."""
    digest = shelf.claim(name)
    try:
        return as_layer(shelf.store, digest, shelf.diff_id)
    except Corrupt as error:
        raise LyingArchive(f"layer {name!r}: {error}") from error


def _store(
    shelf: Shelf, config: bytes, layers: list[Descriptor], names: tuple[str, ...]
) -> LoadedImage:
    """The archive has no manifest of the kind registries know, so one is made."""
    config_digest = blobs.put(shelf.store, config)
    described = Descriptor(manifests.OCI_CONFIG, config_digest, len(config))
    manifest = Manifest(2, described, tuple(layers), manifests.OCI_MANIFEST)
    digest = blobs.put(shelf.store, msgspec.json.encode(manifest))
    return LoadedImage(digest, digest, config_digest, names)


# The older form: a folder per layer with `json` and `layer.tar`, each naming its parent.


class _OldLayer(msgspec.Struct):
    """What of a version 1 configuration makes history and order."""

    parent: str = ""
    created: str | None = None
    author: str = ""
    comment: str = ""
    container_config: configs.ProcessConfig | None = None


_DROPPED = ("id", "parent", "Size", "parent_id", "layer_id", "throwaway")


def _load_chain(shelf: Shelf, old_id: str, names: tuple[str, ...]) -> LoadedImage:
    chain = list(_ancestors(shelf, old_id))[::-1]
    layers = [take_layer(shelf, f"{name}/layer.tar") for name, _ in chain]
    history = tuple(_history(old) for _, old in chain)
    raw = _new_config(shelf, old_id, [layer.diff_id for layer in layers], history)
    check_system(decode_config(f"{old_id}/json", raw))
    return _store(shelf, raw, [layer.descriptor for layer in layers], familiar_names(names))


def _ancestors(shelf: Shelf, old_id: str) -> Iterator[tuple[str, _OldLayer]]:
    seen: set[str] = set()
    while old_id:
        if old_id in seen or f"{old_id}/json" not in shelf:
            raise BadArchive(f"invalid target ID: {old_id}")
        seen.add(old_id)
        old = shelf.decode(f"{old_id}/json", _OldLayer)
        yield old_id, old
        old_id = old.parent


def _history(old: _OldLayer) -> History:
    command = old.container_config.cmd if old.container_config else None
    return History(
        created=old.created,
        created_by=" ".join(command or ()),
        author=old.author,
        comment=old.comment,
    )


def _new_config(
    shelf: Shelf, old_id: str, diff_ids: list[Digest], history: tuple[History, ...]
) -> bytes:
    """The old configuration with its own fields kept and the layers named by diff id."""
    fields = shelf.decode(f"{old_id}/json", dict[str, msgspec.Raw])
    kept = {name: value for name, value in fields.items() if name not in _DROPPED}
    kept["rootfs"] = msgspec.Raw(msgspec.json.encode(configs.RootFs("layers", tuple(diff_ids))))
    kept["history"] = msgspec.Raw(msgspec.json.encode(history))
    return msgspec.json.encode(kept)
