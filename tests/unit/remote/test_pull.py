"""Pulling from a registry that does what registries do on bad days."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from wherry.content.files import FileStore
from wherry.kit.errors import InvalidInput, NotFound, Unauthenticated, Unsupported
from wherry.oci import blobs, platform
from wherry.oci import digest as digests
from wherry.oci import manifest as manifests
from wherry.oci import reference as references
from wherry.oci.platform import Platform
from wherry.oci.reference import Reference
from wherry.remote.credentials import Credentials
from wherry.remote.errors import (
    BlobUnknown,
    LoginRequired,
    ManifestUnknown,
    PullDenied,
    RateLimited,
    RegistryUnavailable,
    RepositoryUnknown,
    VerificationFailed,
)
from wherry.remote.progress import Progress
from wherry.remote.pull import Options
from wherry.remote.remote import Remote
from wherry.remote.settings import Settings
from wherry.remote.transport import NoConnection
from wherry.testing.blobs import MemoryStore
from wherry.testing.faulty_registry import PASSWORD, USER, FaultyRegistry, running
from wherry.testing.images import Entry, image_from, index_from

FAST = Settings(delay=0.01, longest_delay=5.0)
GOOD = Credentials(USER, PASSWORD)
NOISE = os.urandom(3 << 20)


@pytest.fixture
def source() -> Iterator[MemoryStore]:
    memory = MemoryStore()
    yield memory
    memory.close()


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(str(tmp_path))


@pytest.fixture
async def registry() -> AsyncIterator[FaultyRegistry]:
    served = FaultyRegistry()
    async with running(served):
        yield served


@pytest.fixture
async def remote() -> AsyncIterator[Remote]:
    async with Remote(FAST) as client:
        yield client


def at(registry: FaultyRegistry, name: str = "app:1") -> Reference:
    return references.parse(f"{registry.host}/{name}")


def offer(registry: FaultyRegistry, source: MemoryStore, *layers: bytes) -> str:
    image = image_from(source, *({"x": layer} for layer in layers or (b"one", b"two")))
    registry.add("app", "1", source, image.digest)
    return image.digest


def offer_bytes(registry: FaultyRegistry, data: bytes) -> None:
    for name in ("1", digests.of_bytes(data)):
        registry.manifests["app", name] = (data, manifests.OCI_MANIFEST)


def kinds(registry: FaultyRegistry) -> list[str]:
    return [entry for entry in registry.asked if "/blobs/" in entry]


async def test_an_image_comes_whole(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    digest = offer(registry, source, b"one", b"two", b"three")
    seen: list[Progress] = []
    ready: list[int] = []
    options = Options(report=seen.append, layer_ready=lambda number, _: ready.append(number))
    pulled = await remote.pull(at(registry), store, options)
    assert pulled.manifest == pulled.digest == digest
    assert pulled.index is None
    assert pulled.registry == f"http://{registry.host}"
    assert set(store.walk()) == set(source.walk())
    assert sorted(ready) == [0, 1, 2]
    layer = pulled.layers[0]
    states = [step.status for step in seen if step.id == layer.digest[7:19]]
    assert states == ["Pulling fs layer", "Downloading", "Verifying Checksum", "Download complete"]
    assert Progress(layer.digest[7:19], "Downloading", layer.size, layer.size) in seen
    assert seen[0] == Progress("1", "Pulling from app")


async def test_what_is_there_is_not_fetched_again(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source)
    await remote.pull(at(registry), store)
    registry.asked.clear()
    seen: list[Progress] = []
    await remote.pull(at(registry), store, Options(report=seen.append))
    assert registry.asked == ["HEAD /v2/app/manifests/1"]
    assert [step.status for step in seen][1:] == ["Already exists"] * 2


async def test_three_layers_at_a_time(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source, *(bytes([n]) for n in range(8)))
    registry.faults.delay = 0.03
    seen: list[Progress] = []
    await remote.pull(at(registry), store, Options(report=seen.append))
    assert registry.busiest == 3
    assert "Waiting" in {step.status for step in seen}


async def test_a_layer_that_occurs_twice_is_fetched_once(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source, b"same", b"same")
    ready: list[int] = []
    await remote.pull(at(registry), store, Options(layer_ready=lambda n, _: ready.append(n)))
    assert len(kinds(registry)) == 2  # configuration and layer
    assert ready == [0, 1]


async def test_the_platform_of_an_index_and_its_provenance(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    ours = image_from(source, {"x": b"ours"})
    other = image_from(source, {"x": b"other"}, on=Platform("s390x", "linux"))
    index = index_from(source, other, ours)
    registry.add("app", "1", source, index)
    pulled = await remote.pull(at(registry), store)
    assert (pulled.index, pulled.manifest, pulled.config) == (index, ours.digest, ours.id)
    pulled = await remote.pull(at(registry), store, Options(platform.parse("linux/s390x")))
    assert pulled.manifest == other.digest
    with pytest.raises(NotFound, match="no matching manifest for linux/mips in the manifest list"):
        await remote.pull(at(registry), store, Options(platform.parse("linux/mips")))


async def test_a_single_platform_image_is_checked_only_where_one_was_asked_for(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    image = image_from(source, {"x": b"x"}, on=Platform("s390x", "linux"))
    registry.add("app", "1", source, image.digest)
    await remote.pull(at(registry), store)
    with pytest.raises(NotFound, match="wanted linux/arm64, actual: linux/s390x"):
        await remote.pull(at(registry), store, Options(platform.parse("arm64")))


async def test_by_digest(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    digest = offer(registry, source)
    assert (await remote.pull(at(registry, f"app@{digest}"), store)).manifest == digest
    registry.manifests["app", digest] = (b'{"schemaVersion": 2}', manifests.OCI_MANIFEST)
    registry.faults.no_header = True
    with pytest.raises(VerificationFailed, match="verification failed for digest"):
        await remote.resolve(at(registry, f"app@{digest}"))


async def test_head_is_cheap_and_has_a_fallback(
    registry: FaultyRegistry, source: MemoryStore, remote: Remote
) -> None:
    digest = offer(registry, source)
    assert (await remote.head(at(registry))).digest == digest
    assert registry.asked == ["HEAD /v2/app/manifests/1"]
    registry.faults.no_head = True
    assert (await remote.head(at(registry))).digest == digest
    registry.faults.no_head, registry.faults.no_header = False, True
    assert (await remote.head(at(registry))).digest == digest


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_cut_connection_is_resumed(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote, ranges: bool
) -> None:
    offer(registry, source, NOISE)
    await remote.pull(at(registry), MemoryStore())  # learn the way: no cut is spent on it
    registry.faults.ranges = ranges
    config = [1 << 20]
    seen: list[Progress] = []
    image = await remote.resolve(at(registry))
    blobs.put(store, source.open(image.manifest.config.digest).read())
    registry.faults.cut_after = [*config, 1 << 20]
    registry.headers.clear()
    await remote.pull(at(registry), store, Options(report=seen.append))
    asked = [entry["Range"] for entry in registry.headers if "Range" in entry]
    assert len(asked) == 2
    assert int(asked[0][6:-1]) > 500_000
    assert any(step.status.startswith("Retrying in") for step in seen)
    assert store.stat(image.manifest.layers[0].digest) == image.manifest.layers[0].size


async def test_a_partial_blob_of_an_earlier_life_is_resumed(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source, NOISE)
    layer = (await remote.resolve(at(registry))).manifest.layers[0]
    data = source.open(layer.digest).read()
    with store.writer(f"blob-{layer.digest}", expected=layer.digest, size=layer.size) as ingest:
        ingest.write(data[:1000])
    registry.headers.clear()
    await remote.pull(at(registry), store)
    assert [entry["Range"] for entry in registry.headers if "Range" in entry] == ["bytes=1000-"]


async def test_a_rotten_partial_blob_is_fetched_whole(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source, NOISE)
    layer = (await remote.resolve(at(registry))).manifest.layers[0]
    with store.writer(f"blob-{layer.digest}", expected=layer.digest, size=layer.size) as ingest:
        ingest.write(b"rotten")
    await remote.pull(at(registry), store)
    assert store.stat(layer.digest) == layer.size


async def test_a_wrong_range_is_not_taken(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source, NOISE)
    layer = (await remote.resolve(at(registry))).manifest.layers[0]
    with store.writer(f"blob-{layer.digest}", expected=layer.digest, size=layer.size) as ingest:
        ingest.write(source.open(layer.digest).read()[:1000])
    registry.faults.wrong_range = True
    await remote.pull(at(registry), store)
    assert store.stat(layer.digest) == layer.size


@pytest.mark.parametrize("fault", ["lie", "grow"])
async def test_a_lying_blob_is_refused_and_nothing_is_left(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote, fault: str
) -> None:
    offer(registry, source, NOISE)
    layer = (await remote.resolve(at(registry))).manifest.layers[0]
    getattr(registry.faults, fault).add(layer.digest)
    with pytest.raises(VerificationFailed if fault == "lie" else Exception, match=layer.digest):
        await remote.pull(at(registry), store)
    assert layer.digest not in set(store.walk())
    assert os.listdir(f"{store.root}/ingest") == []


async def test_a_blob_of_another_length_is_refused_before_it_is_read(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source, NOISE)
    layer = (await remote.resolve(at(registry))).manifest.layers[0]
    registry.blobs[layer.digest] += b"more"
    with pytest.raises(VerificationFailed, match="were announced"):
        await remote.pull(at(registry), store)


async def test_a_lying_configuration_or_manifest(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    digest = offer(registry, source)
    image = await remote.resolve(at(registry))
    registry.faults.lie = {image.manifest.config.digest}
    with pytest.raises(VerificationFailed, match=image.manifest.config.digest):
        await remote.pull(at(registry), store)
    registry.faults.lie = {digest}
    with pytest.raises(VerificationFailed, match="manifest verification failed"):
        await remote.pull(at(registry), store)
    registry.faults.lie = set()
    registry.faults.lying_header = "sha256:" + "0" * 64
    registry.faults.no_head = True
    with pytest.raises(VerificationFailed, match="manifest verification failed"):
        await remote.pull(at(registry), store)
    assert list(store.walk()) == []


async def test_a_manifest_that_is_two_things_at_once(
    registry: FaultyRegistry, source: MemoryStore, remote: Remote
) -> None:
    offer(registry, source)
    registry.faults.content_type = manifests.OCI_INDEX
    with pytest.raises(VerificationFailed, match="calls itself"):
        await remote.resolve(at(registry))


async def test_missing_things_are_said_in_dockers_words(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source)
    host = registry.host
    with pytest.raises(ManifestUnknown) as unknown:
        await remote.pull(at(registry, "app:no"), store)
    assert str(unknown.value) == (
        f"manifest for {host}/app:no not found: manifest unknown: manifest unknown"
    )
    with pytest.raises(RepositoryUnknown) as nobody:
        await remote.pull(at(registry, "no:1"), store)
    assert str(nobody.value) == (
        f"repository {host}/no not found: name unknown: repository name not known to registry"
    )
    layer = (await remote.resolve(at(registry))).manifest.layers[0]
    registry.faults.missing = {layer.digest}
    with pytest.raises(BlobUnknown, match=f"blob {layer.digest}: blob unknown"):
        await remote.pull(at(registry), store)


async def test_basic_login(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source)
    registry.faults.basic = True
    with pytest.raises(LoginRequired, match="no basic auth credentials"):
        await remote.pull(at(registry), store)
    with pytest.raises(LoginRequired, match="unauthorized: authentication required"):
        await remote.pull(at(registry), store, credentials=Credentials(USER, "wrong"))
    await remote.pull(at(registry), store, credentials=GOOD)
    await remote.login(registry.host, GOOD)
    with pytest.raises(Unauthenticated):
        await remote.login(registry.host, Credentials(USER, "wrong"))


async def test_bearer_tokens_are_kept_per_scope(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source, b"one", b"two", b"three")
    registry.faults.bearer = True
    await remote.pull(at(registry), store)
    await remote.pull(at(registry), MemoryStore())
    assert registry.asked.count("GET /token") == 1
    registry.add(
        "other", "1", source, (await remote.resolve(at(registry))).documents[0].descriptor.digest
    )
    await remote.head(at(registry, "other:1"))
    assert registry.asked.count("GET /token") == 2


async def test_a_worn_token_is_fetched_anew(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source, *(bytes([n]) for n in range(6)))
    registry.faults.bearer, registry.faults.token_uses = True, 3
    await remote.pull(at(registry), store)
    assert registry.asked.count("GET /token") >= 2


async def test_private_repositories(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source)
    registry.faults.bearer = registry.faults.private = True
    with pytest.raises(PullDenied) as denied:
        await remote.pull(at(registry), store)
    assert str(denied.value) == (
        f"pull access denied for {registry.host}/app, repository does not exist or may require "
        "'docker login': denied: requested access to the resource is denied"
    )
    with pytest.raises(LoginRequired, match="unauthorized: incorrect username or password"):
        await remote.pull(at(registry), store, credentials=Credentials(USER, "wrong"))
    await remote.pull(at(registry), store, credentials=GOOD)
    registry.faults.refresh_token = "refresh-me"
    await remote.head(at(registry), Credentials(identity_token="refresh-me"))
    assert "POST /token" in registry.asked
    await remote.head(at(registry), Credentials(registry_token="token-given"))


async def test_429_and_5xx_are_waited_for(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source)
    await remote.head(at(registry))
    registry.faults.refuse = [429, 503, 500, 502]
    await remote.pull(at(registry), store)
    registry.faults.refuse, registry.faults.retry_after = [429], "3600"
    with pytest.raises(RateLimited, match="toomanyrequests") as limited:
        await remote.tags(at(registry))
    assert limited.value.retry_after == 3600
    registry.faults.refuse, registry.faults.retry_after = [503] * 9, ""
    with pytest.raises(RegistryUnavailable, match="503 Service Unavailable"):
        await remote.tags(at(registry))


async def test_retry_after_is_kept_to(
    registry: FaultyRegistry, source: MemoryStore, remote: Remote
) -> None:
    offer(registry, source)
    await remote.head(at(registry))
    registry.faults.refuse, registry.faults.retry_after = [429], "1"
    started = asyncio.get_running_loop().time()
    await remote.head(at(registry))
    assert asyncio.get_running_loop().time() - started > 0.95


async def test_redirects_do_not_take_the_password_along(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source)
    elsewhere = FaultyRegistry()
    elsewhere.blobs = registry.blobs
    async with running(elsewhere) as host:
        registry.faults.basic = True
        registry.faults.redirect = f"http://{host}"
        await remote.pull(at(registry), store, credentials=GOOD)
        assert len(elsewhere.headers) == 3
        assert not any("Authorization" in entry for entry in elsewhere.headers)
        registry.faults.redirect = "file:///etc/passwd#"
        with pytest.raises(RegistryUnavailable, match="refused"):
            await remote.pull(at(registry), MemoryStore(), credentials=GOOD)


async def test_a_redirect_loop_ends(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source)
    registry.faults.redirect = f"http://{registry.host}"
    with pytest.raises(RegistryUnavailable, match="stopped after 10 redirects"):
        await remote.pull(at(registry), store)


async def test_foreign_layers_come_from_their_urls(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    image = image_from(source, {"x": b"x"})
    layer = image.layers[0]
    elsewhere = FaultyRegistry()
    elsewhere.blobs[layer.digest] = source.open(layer.digest).read()
    async with running(elsewhere) as host:
        value = json.loads(image.manifest_bytes)
        value["layers"][0] |= {
            "mediaType": manifests.DOCKER_FOREIGN_LAYER,
            "urls": ["http://127.0.0.1:1/gone", f"http://{host}/v2/any/blobs/{layer.digest}"],
        }
        target = blobs.put(source, json.dumps(value).encode())
        registry.add("app", "1", source, target)
        registry.faults.missing = {layer.digest}
        await remote.pull(at(registry), store)
    assert store.stat(layer.digest) == layer.size


async def test_schema_1_and_other_things_are_refused(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source)
    registry.faults.content_type = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    with pytest.raises(Unsupported, match="schema 1, which is not supported"):
        await remote.pull(at(registry), store)
    registry.faults.content_type = "text/html"
    with pytest.raises(Unsupported, match="unsupported media type text/html"):
        await remote.pull(at(registry), store)
    registry.faults.content_type = "application/json"
    old = b'{"schemaVersion": 1, "fsLayers": [], "name": "x"}'
    registry.manifests["app", "1"] = (old, "")
    with pytest.raises(Unsupported, match="schema 1"):
        await remote.pull(at(registry), store)


async def test_an_artifact_is_no_image(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    image = image_from(source, {"x": b"x"})
    value = json.loads(image.manifest_bytes)
    value["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
    registry.add("app", "1", source, blobs.put(source, json.dumps(value).encode()))
    with pytest.raises(Unsupported, match="no container image but has a application/vnd"):
        await remote.pull(at(registry), store)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"schemaVersion": 2}', b"\xff\xfe"])
async def test_broken_manifests(
    registry: FaultyRegistry, store: FileStore, remote: Remote, body: bytes
) -> None:
    offer_bytes(registry, body)
    with pytest.raises((InvalidInput, VerificationFailed)):
        await remote.pull(at(registry), store)


async def test_a_huge_manifest_is_not_read_to_its_end(
    registry: FaultyRegistry, store: FileStore, remote: Remote
) -> None:
    offer_bytes(registry, b" " * (5 << 20))
    with pytest.raises(InvalidInput, match="larger than 4194304 bytes"):
        await remote.pull(at(registry), store)


async def test_two_pulls_at_once_fetch_a_layer_once(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source, NOISE)
    registry.faults.delay = 0.1
    await asyncio.gather(*(remote.pull(at(registry), store) for _ in range(3)))
    assert len(kinds(registry)) == 2


async def test_a_cancelled_pull_leaves_a_partial_blob_and_no_lock(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore, remote: Remote
) -> None:
    offer(registry, source, NOISE)
    layer = (await remote.resolve(at(registry))).manifest.layers[0]
    registry.faults.delay = 0.5
    task = asyncio.create_task(remote.pull(at(registry), store))
    await asyncio.sleep(0.8)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    store.writer(f"blob-{layer.digest}", expected=layer.digest, size=layer.size).close()


async def test_nobody_there(store: FileStore, remote: Remote) -> None:
    with pytest.raises(NoConnection, match=r'HEAD "http://127.0.0.1:1/v2/app/manifests/latest": '):
        await remote.pull(references.parse("127.0.0.1:1/app"), store)
    with pytest.raises(NoConnection, match=r'HEAD "https://registry.invalid/v2/'):
        await remote.pull(references.parse("registry.invalid/app"), store)


async def test_mirrors_are_asked_first_and_without_our_password(
    registry: FaultyRegistry, source: MemoryStore, store: FileStore
) -> None:
    image = image_from(source, {"x": b"x"})
    registry.add("library/app", "1", source, image.digest)
    settings = Settings(mirrors=("http://127.0.0.1:1", f"http://{registry.host}/"), delay=0.01)
    async with Remote(settings) as remote:
        pulled = await remote.pull(references.parse("app:1"), store, credentials=GOOD)
    assert pulled.registry == f"http://{registry.host}"
    assert not any("Authorization" in entry for entry in registry.headers)


async def test_tags_over_several_pages(
    registry: FaultyRegistry, source: MemoryStore, remote: Remote
) -> None:
    with pytest.raises(RepositoryUnknown, match=f"repository {registry.host}/app not found"):
        await remote.tags(at(registry))
    for tag in "abcde":
        registry.manifests["app", tag] = (b"", "")
    registry.faults.page = 2
    assert await remote.tags(at(registry)) == tuple("abcde")
    assert registry.asked.count("GET /v2/app/tags/list") == 4


async def test_a_full_disk_ends_the_pull_clearly(
    registry: FaultyRegistry,
    source: MemoryStore,
    store: FileStore,
    remote: Remote,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from wherry.content.ingest import StorageFull
    from wherry.kit import failpoints

    image = image_from(source, {"x": Entry(NOISE)})
    registry.add("app", "1", source, image.digest)
    await remote.pull(at(registry), store)
    store.delete(image.layers[0].digest)
    monkeypatch.setitem(failpoints._armed, "content.before-rename", "error")
    with pytest.raises(StorageFull, match="no space left on device"):
        await remote.pull(at(registry), store)
    assert image.layers[0].digest not in set(store.walk())
    assert os.listdir(f"{store.root}/ingest") == []
