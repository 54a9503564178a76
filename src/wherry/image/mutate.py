"""New images out of old ones. Nothing is changed in place; the old image stays what it was."""

import msgspec

from wherry.image.image import Image, StoredImage
from wherry.image.layers import Layer
from wherry.oci import blobs
from wherry.oci import config as configs
from wherry.oci import manifest as manifests
from wherry.oci.blobs import BlobStore
from wherry.oci.config import History, ImageConfig, RootFs
from wherry.oci.manifest import Descriptor, Manifest

_OCI_OF_DOCKER = {
    manifests.DOCKER_LAYER_GZIP: manifests.OCI_LAYER_GZIP,
    manifests.DOCKER_CONFIG: manifests.OCI_CONFIG,
}


def create(store: BlobStore, config: ImageConfig, layers: tuple[Descriptor, ...]) -> StoredImage:
    """A new image. Its layers must be in the store and be those of `config.rootfs`."""
    return _store(store, configs.encode(config), layers)


def append_layer(
    image: Image, layer: Layer, history: History, config: ImageConfig | None = None
) -> StoredImage:
    """The image with one more layer on top, and the rest of its configuration from `config`."""
    value = config or image.config
    diff_ids = (*image.config.rootfs.diff_ids, layer.diff_id)
    grown = msgspec.structs.replace(
        value,
        rootfs=RootFs("layers", diff_ids),
        history=(*(image.config.history or ()), history),
        created=history.created or value.created,
    )
    return _derive(image, grown, (*image.manifest.layers, layer.descriptor))


def change_config(image: Image, config: ImageConfig, history: History | None = None) -> StoredImage:
    """The image with another configuration over the same layers.

    A history entry is marked as one without a layer.
    """
    steps = image.config.history or ()
    if history is not None:
        steps = (*steps, msgspec.structs.replace(history, empty_layer=True))
    value = msgspec.structs.replace(config, rootfs=image.config.rootfs, history=steps or None)
    return _derive(image, value, image.manifest.layers)


def _derive(image: Image, config: ImageConfig, layers: tuple[Descriptor, ...]) -> StoredImage:
    """Fields of the old configuration that we do not know are carried over."""
    known = {field.encode_name for field in msgspec.structs.fields(ImageConfig)}
    fields = msgspec.json.decode(image.config_bytes, type=dict[str, msgspec.Raw])
    kept = {name: value for name, value in fields.items() if name not in known}
    fresh = msgspec.json.decode(configs.encode(config), type=dict[str, msgspec.Raw])
    return _store(image.store, msgspec.json.encode({**fresh, **kept}), layers)


def _store(store: BlobStore, config: bytes, layers: tuple[Descriptor, ...]) -> StoredImage:
    described = Descriptor(manifests.OCI_CONFIG, blobs.put(store, config), len(config))
    manifest = Manifest(2, described, tuple(map(_as_oci, layers)), manifests.OCI_MANIFEST)
    return StoredImage(store, blobs.put(store, msgspec.json.encode(manifest)))


def _as_oci(layer: Descriptor) -> Descriptor:
    """An OCI manifest with Docker's media types in it is refused by strict registries."""
    media_type = _OCI_OF_DOCKER.get(layer.media_type, layer.media_type)
    return msgspec.structs.replace(layer, media_type=media_type)
