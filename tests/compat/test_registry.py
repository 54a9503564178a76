"""Against Debian's docker-registry, and with docker's, podman's and skopeo's archives."""

import asyncio
import gzip
import io
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from wherry.content.files import FileStore
from wherry.image import archive
from wherry.image.image import StoredImage, open_image
from wherry.image.save import Saved
from wherry.image.validate import validate
from wherry.oci import reference as references
from wherry.oci.config import ProcessConfig
from wherry.oci.digest import Digest
from wherry.oci.platform import Platform
from wherry.remote.credentials import Credentials
from wherry.remote.errors import LoginRequired, ManifestUnknown, RepositoryUnknown
from wherry.remote.progress import Progress
from wherry.remote.push import PushOptions
from wherry.remote.remote import Remote
from wherry.remote.settings import Settings
from wherry.testing import docker_daemon
from wherry.testing import registry as registries
from wherry.testing.images import busybox_files, image_from, index_from
from wherry.testing.registry import PASSWORD, USER, RunningRegistry

pytestmark = pytest.mark.skipif(
    not registries.available(), reason="docker-registry is not installed"
)


@pytest.fixture(scope="module")
def registry() -> Iterator[RunningRegistry]:
    with registries.docker_registry() as running:
        yield running


@pytest.fixture(scope="module")
def locked() -> Iterator[RunningRegistry]:
    with registries.docker_registry(password=True) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(str(tmp_path / "content"))


@pytest.fixture
def other(tmp_path: Path) -> FileStore:
    return FileStore(str(tmp_path / "other"))


def sample(store: FileStore, text: bytes = b"x") -> StoredImage:
    return image_from(
        store,
        {"bin/a": os.urandom(2 << 20)},
        {"b": text},
        config=ProcessConfig(cmd=["/bin/a"], labels={"k": "v"}),
    )


@pytest.mark.parametrize("chunk", [0, 300_000])
async def test_push_and_pull_round_trip(
    registry: RunningRegistry, store: FileStore, other: FileStore, chunk: int
) -> None:
    image = sample(store)
    reference = references.parse(registry.reference(f"round/trip{chunk}:1"))
    seen: list[Progress] = []
    async with Remote(Settings(upload_chunk=chunk)) as remote:
        pushed = await remote.push(reference, image.digest, store, PushOptions(seen.append))
        assert pushed.digest == image.digest
        assert pushed.size == len(image.manifest_bytes)
        assert "Pushed" in {step.status for step in seen}
        pulled = await remote.pull(reference, other)
        assert pulled.manifest == image.digest
        assert pulled.registry == f"http://{registry.host}"
        seen.clear()
        await remote.push(reference, image.digest, store, PushOptions(seen.append))
        assert {step.status for step in seen} == {"Preparing", "Layer already exists"}
    validate(open_image(other, pulled.manifest))


async def test_mount_from_another_repository(registry: RunningRegistry, store: FileStore) -> None:
    image = sample(store)
    seen: list[Progress] = []
    async with Remote() as remote:
        first = references.parse(registry.reference("mount/first:1"))
        await remote.push(first, image.digest, store)
        second = references.parse(registry.reference("mount/second:1"))
        options = PushOptions(seen.append, lambda _: ["mount/absent", "mount/first"])
        await remote.push(second, image.digest, store, options)
    assert "Mounted from mount/first" in {step.status for step in seen}
    assert "Pushing" not in {step.status for step in seen}


async def test_an_index_with_two_platforms(
    registry: RunningRegistry, store: FileStore, other: FileStore
) -> None:
    ours = sample(store)
    foreign = image_from(store, {"x": b"x"}, on=Platform("s390x", "linux"))
    index = index_from(store, foreign, ours)
    reference = references.parse(registry.reference("multi:1"))
    async with Remote() as remote:
        await remote.push(reference, index, store)
        pulled = await remote.pull(reference, other)
    assert (pulled.index, pulled.manifest) == (index, ours.digest)


async def test_tags_and_catalog(registry: RunningRegistry, store: FileStore) -> None:
    image = image_from(store, {"x": b"x"})
    async with Remote() as remote:
        for tag in ("a", "b", "c"):
            reference = references.parse(registry.reference(f"listed/it:{tag}"))
            await remote.push(reference, image.digest, store)
        assert sorted(await remote.tags(reference)) == ["a", "b", "c"]
        assert "listed/it" in await remote.repositories(registry.host)
        with pytest.raises(RepositoryUnknown, match="name unknown"):
            await remote.tags(references.parse(registry.reference("absent")))


async def test_unknown_things_in_docker_registrys_own_words(
    registry: RunningRegistry, store: FileStore
) -> None:
    async with Remote() as remote:
        reference = references.parse(registry.reference("nothing:here"))
        with pytest.raises(ManifestUnknown) as unknown:
            await remote.pull(reference, store)
    assert str(unknown.value) == (
        f"manifest for {registry.host}/nothing:here not found: manifest unknown: manifest unknown"
    )


async def test_basic_authentication(
    locked: RunningRegistry, store: FileStore, other: FileStore
) -> None:
    image = sample(store)
    reference = references.parse(locked.reference("private:1"))
    good = Credentials(USER, PASSWORD)
    async with Remote(Settings(delay=0.01)) as remote:
        with pytest.raises(LoginRequired, match="no basic auth credentials"):
            await remote.push(reference, image.digest, store)
        with pytest.raises(LoginRequired, match="authentication required"):
            await remote.push(
                reference, image.digest, store, credentials=Credentials(USER, "wrong")
            )
        await remote.push(reference, image.digest, store, credentials=good)
        with pytest.raises(LoginRequired):
            await remote.pull(reference, other)
        assert (await remote.pull(reference, other, credentials=good)).manifest == image.digest
        await remote.login(locked.host, good)


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


need_skopeo = pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")


@need_skopeo
async def test_skopeo_pushes_and_we_pull_and_the_other_way_round(
    registry: RunningRegistry, store: FileStore, other: FileStore, tmp_path: Path
) -> None:
    image = sample(store)
    tar = tmp_path / "image.tar"
    with tar.open("wb") as out:
        archive.save([Saved(image, ("sample:1",))], out)
    name = registry.reference("skopeo:1")
    copy = ["skopeo", "copy", "--insecure-policy"]
    for form in ("v2s2", "oci"):
        to = [f"docker-archive:{tar}", f"docker://{name}", "--dest-tls-verify=false"]
        await asyncio.to_thread(run, *copy, "--format", form, *to)
        async with Remote() as remote:
            pulled = await remote.pull(references.parse(name), other)
        found = open_image(other, pulled.manifest)
        validate(found)
        assert found.config.rootfs == image.config.rootfs
        assert (found.id == image.id) == (form == "v2s2")  # for OCI skopeo writes a new one
    mine = registry.reference("for-skopeo:1")
    async with Remote() as remote:
        await remote.push(references.parse(mine), image.digest, store)
    inspected = json.loads(
        await asyncio.to_thread(run, "skopeo", "inspect", "--tls-verify=false", f"docker://{mine}")
    )
    assert inspected["Digest"] == image.digest
    assert inspected["Labels"] == {"k": "v"}


@need_skopeo
@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_skopeo_reads_our_archives_and_we_read_its(
    store: FileStore, other: FileStore, tmp_path: Path, kind: str
) -> None:
    image = sample(store)
    ours, its = tmp_path / "ours.tar", tmp_path / "its.tar"
    with ours.open("wb") as out:
        archive.save([Saved(image, ("sample:1",))], out)
    source = f"{kind}:{ours}" + ("" if kind == "docker-archive" else ":1")
    run("skopeo", "copy", "--insecure-policy", source, f"{kind}:{its}:localhost/sample:2")
    with its.open("rb") as file:
        (loaded,) = archive.load(file, other)
    assert loaded.config == image.id
    assert loaded.names == ("localhost/sample:2",)
    validate(open_image(other, loaded.manifest))


@pytest.mark.root
@pytest.mark.skipif(not shutil.which("podman"), reason="podman is not installed")
def test_podman_loads_and_saves(store: FileStore, other: FileStore, tmp_path: Path) -> None:
    image = sample(store)
    ours = tmp_path / "ours.tar"
    with ours.open("wb") as out:
        archive.save([Saved(image, ("localhost/sample:1", "localhost/sample:2"))], out)
    short = tempfile.mkdtemp(prefix="wp-")  # podman's limit is 50 characters
    podman = ["podman", "--root", f"{short}/r", "--runroot", f"{short}/n"]
    podman += ["--storage-driver", "vfs"]
    try:
        assert "localhost/sample:1" in run(*podman, "load", "-i", str(ours))
        for form in ("docker-archive", "oci-archive"):
            its = tmp_path / f"{form}.tar"
            run(*podman, "save", "--format", form, "-o", str(its), "localhost/sample:1")
            with its.open("rb") as file:
                (loaded,) = archive.load(file, other)
            assert loaded.names == ("localhost/sample:1",)
            found = open_image(other, loaded.manifest)  # podman writes configurations of its own
            assert found.config.rootfs == image.config.rootfs
    finally:
        subprocess.run([*podman, "system", "reset", "-f"], capture_output=True, check=False)
        shutil.rmtree(short, ignore_errors=True)


@pytest.fixture(scope="module")
def dockerd() -> Iterator[list[str]]:
    """docker talking to a private daemon of Debian's."""
    if not docker_daemon.available():
        pytest.skip("needs root and dockerd")
    with docker_daemon.docker_daemon() as docker:
        yield docker


@pytest.mark.root
def test_docker_loads_ours_and_we_load_its(
    dockerd: list[str], store: FileStore, other: FileStore, tmp_path: Path
) -> None:
    one = sample(store)
    two = image_from(store, busybox_files())
    ours = tmp_path / "ours.tar"
    with ours.open("wb") as out:
        archive.save([Saved(one, ("sample:1",)), Saved(two, ("bb:1", "bb:2"))], out)
    loaded_text = run(*dockerd, "load", "-i", str(ours))
    assert set(loaded_text.split("\n")) >= {f"Loaded image: {n}" for n in ("sample:1", "bb:1")}
    assert run(*dockerd, "inspect", "-f", "{{.Id}}", "sample:1").strip() == one.id
    its = tmp_path / "its.tar"
    run(*dockerd, "save", "-o", str(its), "sample:1", "bb:1", "bb:2")
    with its.open("rb") as file:
        loaded = {image.config: image for image in archive.load(file, other)}
    assert set(loaded) == {one.id, two.id}
    assert set(loaded[two.id].names) == {"bb:1", "bb:2"}
    for image in loaded.values():
        validate(open_image(other, image.manifest))


@pytest.mark.root
async def test_docker_pulls_what_we_push_and_we_pull_what_it_pushes(
    dockerd: list[str], registry: RunningRegistry, store: FileStore, other: FileStore
) -> None:
    image = sample(store)
    mine = registry.reference("ours-for-docker:1")
    async with Remote() as remote:
        await remote.push(references.parse(mine), image.digest, store)
        text = await asyncio.to_thread(run, *dockerd, "pull", mine)
        assert f"Digest: {image.digest}" in text
        its = registry.reference("its-for-us:1")
        await asyncio.to_thread(run, *dockerd, "tag", mine, its)
        await asyncio.to_thread(run, *dockerd, "push", its)
        pulled = await remote.pull(references.parse(its), other)
    assert pulled.config == image.id
    validate(open_image(other, pulled.manifest))
    assert {layer.media_type for layer in pulled.layers} == {
        "application/vnd.docker.image.rootfs.diff.tar.gzip"
    }


def test_a_gzip_of_an_archive_is_as_good(store: FileStore, other: FileStore) -> None:
    image = sample(store)
    out = io.BytesIO()
    archive.save([Saved(image, ())], out)
    packed = io.BytesIO(gzip.compress(out.getvalue(), 1))
    (loaded,) = archive.load(packed, other)
    assert loaded.manifest == Digest(image.digest)
