"""New images out of old ones, and checking them."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from wherry.content.files import FileStore
from wherry.image.errors import NoSuchPlatform
from wherry.image.image import StoredImage, open_image
from wherry.image.layers import Layer, as_layer
from wherry.image.mutate import append_layer, change_config, create
from wherry.image.validate import problems, validate
from wherry.kit.errors import Corrupt
from wherry.oci import blobs
from wherry.oci import digest as digests
from wherry.oci import manifest as manifests
from wherry.oci.config import History, ProcessConfig
from wherry.oci.manifest import Descriptor, Manifest
from wherry.oci.platform import Platform
from wherry.testing.blobs import MemoryStore
from wherry.testing.images import image_from, index_from, layer_tar


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    memory = MemoryStore()
    yield memory
    memory.close()


def new_layer(store: MemoryStore) -> Layer:
    return as_layer(store, blobs.put(store, layer_tar({"new": b"new"})))


def test_a_layer_on_top(store: MemoryStore) -> None:
    old = image_from(store, {"a": b"a"})
    layer = new_layer(store)
    new = append_layer(old, layer, History(created="2030-01-01T00:00:00Z", created_by="test"))
    assert new.layers == (*old.layers, layer.descriptor)
    assert new.config.rootfs.diff_ids[-1] == layer.diff_id
    assert new.config.created == "2030-01-01T00:00:00Z"
    assert [step.created_by for step in new.config.history or ()] == ["layer 0", "test"]
    assert open_image(store, old.digest).config == old.config
    validate(new)


def test_another_configuration(store: MemoryStore) -> None:
    old = image_from(store, {"a": b"a"}, config=ProcessConfig(cmd=["old"]))
    value = msgspec.structs.replace(old.config, config=ProcessConfig(cmd=["new"]))
    new = change_config(old, value, History(created_by="CMD new"))
    assert new.config.config == ProcessConfig(cmd=["new"])
    assert (new.config.history or ())[-1].empty_layer
    assert new.layers == old.layers
    assert new.id != old.id


def test_unknown_fields_and_docker_media_types(store: MemoryStore) -> None:
    old = image_from(store, {"a": b"a"})
    raw = json.dumps({**json.loads(old.config_bytes), "os.version": "7", "x": {"y": 1}}).encode()
    config = Descriptor(manifests.DOCKER_CONFIG, blobs.put(store, raw), len(raw))
    layer = msgspec.structs.replace(old.layers[0], media_type=manifests.DOCKER_LAYER_GZIP)
    docker = Manifest(2, config, (layer,), manifests.DOCKER_MANIFEST)
    image = StoredImage(store, blobs.put(store, msgspec.json.encode(docker)))
    new = append_layer(image, new_layer(store), History())
    assert json.loads(new.config_bytes)["x"] == {"y": 1}
    assert json.loads(new.config_bytes)["os.version"] == "7"
    assert [entry.media_type for entry in new.layers] == [
        manifests.OCI_LAYER_GZIP,
        manifests.OCI_LAYER,
    ]


def test_from_nothing(store: MemoryStore) -> None:
    layer = new_layer(store)
    source = image_from(store, {"new": b"new"})
    assert create(store, source.config, (layer.descriptor,)).id == source.id


def test_the_platform_of_an_index(store: MemoryStore) -> None:
    v6, v7, v8 = (
        image_from(store, {"a": name.encode()}, on=Platform(arch, "linux", name))
        for arch, name in [("arm", "v6"), ("arm", "v7"), ("arm64", "v8")]
    )
    index = index_from(store, v6, v7, v8)

    def ask(arch: str, variant: str = "") -> digests.Digest:
        return open_image(store, index, Platform(arch, "linux", variant)).digest

    assert ask("arm64") == v8.digest
    assert ask("arm") == v7.digest
    assert ask("arm", "v8") == v7.digest
    assert ask("arm", "v6") == v6.digest
    with pytest.raises(NoSuchPlatform, match="no matching manifest for linux/arm/v5"):
        ask("arm", "v5")
    assert open_image(store, index).digest == v6.digest
    store.delete(v7.digest)
    assert ask("arm") == v6.digest


def test_an_index_that_leads_to_itself_cannot_be_but_deep_ones_end(store: MemoryStore) -> None:
    digest = image_from(store, {"a": b"a"}).digest
    for _ in range(9):
        entry = Descriptor(manifests.OCI_INDEX, digest, store.stat(digest))
        digest = blobs.put(store, msgspec.json.encode(manifests.Index(2, (entry,))))
    with pytest.raises(Corrupt, match="nested deeper"):
        open_image(store, digest)


def test_validate_names_what_is_wrong(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    image = image_from(store, {"a": b"a"}, {"b": b"b"})
    assert list(problems(image)) == []
    path = Path(store.path(image.layers[0].digest))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    store.delete(image.layers[1].digest)
    found = list(problems(open_image(store, image.digest)))
    assert len(found) == 2
    assert "layer 0" in found[0]
    assert "has the digest sha256:" in found[0]
    assert "layer 1" in found[1]
    with pytest.raises(Corrupt, match="layer 0"):
        validate(image)


def test_a_manifest_that_disagrees_with_its_configuration(store: MemoryStore) -> None:
    image = image_from(store, {"a": b"a"}, {"b": b"b"})
    short = msgspec.structs.replace(image.manifest, layers=image.layers[:1])
    bad = StoredImage(store, blobs.put(store, msgspec.json.encode(short)))
    with pytest.raises(Corrupt, match="has 1 layers, its configuration 2"):
        _ = bad.config
    swapped = msgspec.structs.replace(image.manifest, layers=image.layers[::-1])
    bad = StoredImage(store, blobs.put(store, msgspec.json.encode(swapped)))
    assert "unpacks to" in "".join(problems(bad))
