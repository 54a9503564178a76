"""Layers gzipped for a registry."""

import gzip
from collections.abc import Iterator

import pytest

from wherry.image.compress import gzip_layers
from wherry.image.validate import validate
from wherry.oci import manifest as manifests
from wherry.oci.digest import Digest
from wherry.oci.manifest import Descriptor
from wherry.testing.blobs import MemoryStore
from wherry.testing.images import image_from


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    memory = MemoryStore()
    yield memory
    memory.close()


def test_the_id_stays_and_the_layers_shrink(store: MemoryStore) -> None:
    image = image_from(store, {"a": b"a" * 3_000_000}, {"b": b"b"})
    packed = gzip_layers(image)
    assert packed.id == image.id
    assert packed.digest != image.digest
    assert {layer.media_type for layer in packed.layers} == {manifests.OCI_LAYER_GZIP}
    assert packed.layers[0].size < 100_000
    for plain, small in zip(image.layers, packed.layers, strict=True):
        assert gzip.decompress(store.open(small.digest).read()) == store.open(plain.digest).read()
    validate(packed)


def test_packed_layers_are_left_alone_and_known_ones_taken(store: MemoryStore) -> None:
    image = image_from(store, {"a": b"a"})
    known: dict[Digest, Descriptor] = {}
    packed = gzip_layers(image, known)
    assert gzip_layers(packed) is packed
    before = set(store.walk())
    assert gzip_layers(image, known).digest == packed.digest
    assert set(store.walk()) == before
