"""Pushing to a registry on a bad day."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest

from wherry.kit.errors import InvalidInput, NotFound
from wherry.oci import reference as references
from wherry.oci.reference import Reference
from wherry.remote.credentials import Credentials
from wherry.remote.errors import LoginRequired, RegistryUnavailable, VerificationFailed
from wherry.remote.progress import Progress
from wherry.remote.push import PushOptions
from wherry.remote.remote import Remote
from wherry.remote.settings import Settings
from wherry.remote.transport import NoConnection
from wherry.testing.blobs import MemoryStore
from wherry.testing.faulty_registry import PASSWORD, USER, FaultyRegistry, running
from wherry.testing.images import image_from, index_from

NOISE = os.urandom(3 << 20)


@pytest.fixture
def source() -> Iterator[MemoryStore]:
    memory = MemoryStore()
    yield memory
    memory.close()


@pytest.fixture
async def registry() -> AsyncIterator[FaultyRegistry]:
    served = FaultyRegistry()
    async with running(served):
        yield served


@pytest.fixture(params=[0, 1 << 20], ids=["whole", "chunks"])
async def remote(request: pytest.FixtureRequest) -> AsyncIterator[Remote]:
    async with Remote(Settings(delay=0.01, attempts=3, upload_chunk=request.param)) as client:
        yield client


def at(registry: FaultyRegistry, name: str = "app:1") -> Reference:
    return references.parse(f"{registry.host}/{name}")


async def test_all_arrives(registry: FaultyRegistry, source: MemoryStore, remote: Remote) -> None:
    image = image_from(source, {"x": NOISE}, {"y": b"y"})
    seen: list[Progress] = []
    await remote.push(at(registry), image.digest, source, PushOptions(seen.append))
    assert set(registry.blobs) == {image.id, *(layer.digest for layer in image.layers)}
    assert registry.manifests["app", "1"][0] == image.manifest_bytes
    layer = image.layers[0]
    steps = [step for step in seen if step.id == layer.digest[7:19]]
    assert steps[0].status == "Preparing"
    assert steps[-2] == Progress(steps[0].id, "Pushing", layer.size, layer.size)
    assert steps[-1].status == "Pushed"
    back = MemoryStore()
    assert (await remote.pull(at(registry), back)).manifest == image.digest
    back.close()


async def test_a_cut_upload_is_begun_anew(
    registry: FaultyRegistry, source: MemoryStore, remote: Remote
) -> None:
    image = image_from(source, {"x": NOISE})
    registry.faults.cut_uploads = 2
    await remote.push(at(registry), image.digest, source)
    assert image.layers[0].digest in registry.blobs
    again = image_from(source, {"y": NOISE})
    registry.faults.cut_uploads = 99
    with pytest.raises(NoConnection):
        await remote.push(at(registry), again.digest, source)
    assert ("app", again.digest) not in registry.manifests


async def test_a_busy_registry_is_waited_for(
    registry: FaultyRegistry, source: MemoryStore, remote: Remote
) -> None:
    image = image_from(source, {"x": b"x"})
    registry.faults.refuse = [429, 503]
    await remote.push(at(registry), image.digest, source)
    assert ("app", "1") in registry.manifests


async def test_tokens_and_passwords_go_along(
    registry: FaultyRegistry, source: MemoryStore, remote: Remote
) -> None:
    image = image_from(source, {"x": NOISE})
    good = Credentials(USER, PASSWORD)
    registry.faults.bearer = registry.faults.private = True
    with pytest.raises(Exception, match="denied: requested access to the resource is denied"):
        await remote.push(at(registry), image.digest, source)
    await remote.push(at(registry), image.digest, source, credentials=good)
    registry.faults.bearer, registry.faults.basic = False, True
    with pytest.raises(LoginRequired, match="no basic auth credentials"):
        await remote.push(at(registry, "b:1"), image.digest, source)
    await remote.push(at(registry, "b:1"), image.digest, source, credentials=good)


async def test_a_registry_that_keeps_something_else(
    registry: FaultyRegistry, source: MemoryStore, remote: Remote
) -> None:
    image = image_from(source, {"x": b"x"})
    registry.faults.stored_digest = "sha256:" + "0" * 64
    with pytest.raises(VerificationFailed, match="the registry stored sha256:000"):
        await remote.push(at(registry), image.digest, source)
    registry.faults.no_location = True
    other = image_from(source, {"z": b"z"})
    with pytest.raises(RegistryUnavailable, match="named no place to upload to"):
        await remote.push(at(registry), other.digest, source)


async def test_what_cannot_be_pushed(
    registry: FaultyRegistry, source: MemoryStore, remote: Remote
) -> None:
    image = image_from(source, {"x": b"x"})
    with pytest.raises(InvalidInput, match="cannot push a digest reference"):
        await remote.push(at(registry, f"app@{image.digest}"), image.digest, source)
    index = index_from(source, image)
    source.delete(image.digest)
    with pytest.raises(NotFound, match=image.digest):
        await remote.push(at(registry), index, source)
    assert registry.manifests == {}


async def test_a_missing_layer_ends_the_push_before_the_tag(
    registry: FaultyRegistry, source: MemoryStore, remote: Remote
) -> None:
    image = image_from(source, {"x": b"x"}, {"y": b"y"})
    source.delete(image.layers[1].digest)
    with pytest.raises(NotFound, match=image.layers[1].digest):
        await remote.push(at(registry), image.digest, source)
    assert registry.manifests == {}
