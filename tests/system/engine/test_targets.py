"""What the newer lists tell: descriptors, manifests, shared bytes, and what disk usage measures."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from wherry.content.files import FileStore
from wherry.dockerapi.encode import to_tree
from wherry.dockerapi.filters import Filters
from wherry.engine import system
from wherry.engine.engine import Engine
from wherry.engine.images import inspect, listing
from wherry.engine.images.pull import pull
from wherry.oci import blobs
from wherry.oci import manifest as manifests
from wherry.oci import platform as platforms
from wherry.oci import reference as references
from wherry.oci.platform import Platform
from wherry.testing.faulty_registry import FaultyRegistry, running
from wherry.testing.images import image_from, index_from

OTHER = Platform("s390x", "linux")
BASE = {"base": b"b" * 1000}


@pytest.fixture
async def registry() -> AsyncIterator[FaultyRegistry]:
    made = FaultyRegistry()
    async with running(made):
        yield made


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(str(tmp_path / "elsewhere"))


async def pulled(engine: Engine, registry: FaultyRegistry, name: str) -> str:
    reference = references.parse(f"{registry.host}/{name}:1")
    await pull(engine, reference, None, None, lambda _: None)
    return reference.familiar


async def test_an_image_out_of_an_index(
    engine: Engine, registry: FaultyRegistry, store: FileStore
) -> None:
    ours, other = image_from(store, BASE), image_from(store, BASE, on=OTHER)
    index = index_from(store, ours, other)
    registry.add("many", "1", store, index)
    name = await pulled(engine, registry, "many")
    found = to_tree(await inspect.inspect(engine, name, manifests=True))
    size = store.stat(index)
    assert found["Descriptor"] == {"mediaType": manifests.OCI_INDEX, "digest": index, "size": size}
    here, absent = found["Manifests"]
    config = blobs.read(store, ours.id, 1 << 20)
    content = store.stat(ours.digest) + len(config) + store.stat(ours.layers[0].digest)
    assert here == {
        "ID": ours.digest,
        "Descriptor": here["Descriptor"],
        "Available": True,
        "Kind": "image",
        "Size": {"Content": content, "Total": content + 1000},
        "ImageData": {
            "Platform": to_tree(platforms.host()),
            "Containers": (),
            "Size": {"Unpacked": 1000},
        },
    }
    assert here["Descriptor"]["digest"] == ours.digest
    assert (absent["ID"], absent["Available"]) == (other.digest, False)
    assert absent["Size"] == {"Content": 0, "Total": 0}
    assert absent["ImageData"]["Platform"] == {"architecture": "s390x", "os": "linux"}
    everything = listing.Shown(descriptor=True, manifests=True)
    (listed,) = await listing.list_images(engine, Filters(), everything)
    assert to_tree(listed)["Manifests"] == found["Manifests"]
    assert to_tree(listed)["Descriptor"] == found["Descriptor"]
    (plain,) = await listing.list_images(engine, Filters())
    assert not {"Manifests", "Descriptor"} & to_tree(plain).keys()


async def test_an_image_of_its_own_is_its_only_manifest(
    engine: Engine, registry: FaultyRegistry, store: FileStore
) -> None:
    image = image_from(store, BASE)
    registry.add("one", "1", store, image.digest)
    name = await pulled(engine, registry, "one")
    found = await inspect.inspect(engine, name, manifests=True)
    assert found.descriptor == image.descriptor
    assert [(each.id, each.available) for each in found.manifests or ()] == [(image.digest, True)]
    assert (await inspect.inspect(engine, name)).manifests is None


async def test_shared_bytes_and_what_was_asked_for(
    engine: Engine, registry: FaultyRegistry, store: FileStore
) -> None:
    for name, more in (("a", b"1" * 10), ("b", b"2" * 200)):
        registry.add(name, "1", store, image_from(store, BASE, {name: more}).digest)
        await pulled(engine, registry, name)
    registry.add("alone", "1", store, image_from(store, {"alone": b"3" * 3000}).digest)
    await pulled(engine, registry, "alone")
    usage = await system.df(engine, frozenset(("image",)))
    assert usage.images is not None
    sizes = sorted((each.size, each.shared_size) for each in usage.images)
    assert sizes == [(1010, 1000), (1200, 1000), (3000, 0)]
    assert usage.layers_size == 1000 + 10 + 200 + 3000
    assert (usage.containers, usage.volumes) == (None, None)
    volumes = await system.df(engine, frozenset(("volume",)))
    assert (volumes.layers_size, volumes.images, volumes.volumes) == (0, None, ())
    unmeasured = await listing.list_images(engine, Filters())
    assert {each.shared_size for each in unmeasured} == {-1}
