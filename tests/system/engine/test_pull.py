"""Layers are unpacked while others still come from the registry; failures leave none of them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from wherry.content.files import FileStore
from wherry.engine.engine import Engine
from wherry.engine.images.pull import pull
from wherry.image.image import StoredImage
from wherry.kit.errors import Corrupt, NotFound
from wherry.oci import blobs
from wherry.oci import digest as digests
from wherry.oci import manifest as manifests
from wherry.oci import reference as references
from wherry.oci.manifest import Descriptor, Manifest
from wherry.oci.reference import Reference
from wherry.testing.faulty_registry import FaultyRegistry, running
from wherry.testing.images import image_from, layer_tar

PATIENCE = 20.0


@pytest.fixture
def elsewhere(tmp_path: Path) -> FileStore:
    return FileStore(str(tmp_path / "elsewhere"))


@pytest.fixture
async def registry() -> AsyncIterator[FaultyRegistry]:
    made = FaultyRegistry()
    async with running(made):
        yield made


def offered(registry: FaultyRegistry, image: StoredImage) -> Reference:
    registry.add("some/image", "1", image.store, image.digest)
    return references.parse(f"{registry.host}/some/image:1")


def hold(registry: FaultyRegistry, image: StoredImage, number: int) -> asyncio.Event:
    released = asyncio.Event()
    registry.faults.held[image.layers[number].digest] = released
    return released


def committed(engine: Engine) -> set[str]:
    return {info.name for info in engine.snapshots.walk() if info.kind == "committed"}


async def until_there(engine: Engine, name: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while name not in committed(engine):  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.02)


def two_layers(store: FileStore) -> StoredImage:
    return image_from(store, {"lower": b"1", "gone": b"x"}, {"upper": b"2", ".wh.gone": b""})


async def test_the_lower_layer_is_there_before_the_upper_has_come(
    engine: Engine, registry: FaultyRegistry, elsewhere: FileStore
) -> None:
    image = two_layers(elsewhere)
    reference = offered(registry, image)
    released = hold(registry, image, 1)
    said: list[str] = []
    work = asyncio.create_task(
        pull(engine, reference, None, None, lambda step: said.append(step.status))
    )
    lowest = digests.chain_id(image.config.rootfs.diff_ids[:1])
    await until_there(engine, lowest)
    assert not work.done()
    released.set()
    record = await work
    assert committed(engine) == set(record.chain)
    assert record.chain[0] == lowest
    assert record.repo_digests == (f"{reference.familiar_repository}@{image.digest}",)
    assert said.count("Pull complete") == 2
    assert said[-1].startswith("Status: Downloaded newer image for ")


async def test_a_pull_that_fails_or_is_given_up_leaves_no_layers(
    engine: Engine, registry: FaultyRegistry, elsewhere: FileStore
) -> None:
    image = two_layers(elsewhere)
    reference = offered(registry, image)
    released = hold(registry, image, 1)
    lowest = digests.chain_id(image.config.rootfs.diff_ids[:1])
    for cancelled in (False, True):
        work = asyncio.create_task(pull(engine, reference, None, None, lambda _: None))
        await until_there(engine, lowest)
        registry.faults.missing = {image.layers[1].digest}
        work.cancel() if cancelled else released.set()
        with pytest.raises(asyncio.CancelledError if cancelled else NotFound):
            await work
        assert list(engine.snapshots.walk()) == []
        assert list(engine.catalog) == []
        registry.faults.missing = set()
        released.clear()


async def test_a_bad_layer_ends_the_pull_at_once(
    engine: Engine, registry: FaultyRegistry, elsewhere: FileStore
) -> None:
    """The blob is what the manifest says, but not what the configuration says."""
    image = two_layers(elsewhere)
    data = blobs.read(elsewhere, image.digest, manifests.MAX_MANIFEST_BYTES)
    value = manifests.decode(data, manifests.OCI_MANIFEST)
    assert isinstance(value, Manifest)
    other = layer_tar({"other": b"o"})
    wrong = Descriptor(manifests.OCI_LAYER, blobs.put(elsewhere, other), len(other))
    lying = msgspec.structs.replace(value, layers=(wrong, value.layers[1]))
    bad = StoredImage(elsewhere, blobs.put(elsewhere, msgspec.json.encode(lying)))
    hold(registry, image, 1)  # and is never released
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(Corrupt, match="unpacks to"):
            await pull(engine, offered(registry, bad), None, None, lambda _: None)
    assert list(engine.snapshots.walk()) == []
