"""Archives are unpacked while they arrive; what comes out is as if they had come first."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from wherry.engine.engine import Engine
from wherry.engine.images import ahead, archives, remove
from wherry.kit.errors import InvalidInput, WherryError
from wherry.testing.images import Entry, Files, folder, hardlink, layer_tar

LARGE = 700_000
BASE: Files = {
    "etc/": folder(0o750),
    "etc/a": b"a" * LARGE,
    "etc/gone": b"gone",
    "var/": folder(),
    "var/old/": folder(),
    "var/old/x": b"x",
    "bin/big": os.urandom(LARGE),
}
TOP: Files = {
    "etc/": folder(0o700),
    "etc/.wh.gone": b"",
    "var/": folder(),
    "var/old/": folder(),
    "var/old/.wh..wh..opq": b"",
    "var/old/new": os.urandom(LARGE),
    "var/old/hard": hardlink("var/old/new"),
}
FORGETFUL: Files = {"etc/b": Entry(os.urandom(LARGE), uid=3, gid=4)}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def members_of(layers: list[bytes], name: str, pack: Callable[[bytes], bytes]) -> dict[str, bytes]:
    """A docker-archive, `manifest.json` last as old ones have it."""
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha(each)}" for each in layers]},
        }
    ).encode()
    files = {f"{number}/layer.tar": pack(each) for number, each in enumerate(layers)}
    listed = {"Config": "c.json", "RepoTags": [name], "Layers": list(files)}
    return {"c.json": config, **files, "manifest.json": json.dumps([listed]).encode()}


def tar_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


async def chunks(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def load(engine: Engine, data: bytes) -> list[str]:
    said: list[str] = []
    await archives.load(engine, chunks(data), said.append)
    return said


def tree(path: str) -> dict[str, tuple[object, ...]]:
    """All that a layer's directory is made of."""
    found: dict[str, tuple[object, ...]] = {}
    for parent, folders, files in os.walk(path):
        for name in [".", *folders, *files]:
            full = os.path.join(parent, name)
            status = os.lstat(full)
            is_file = os.path.isfile(full) and not os.path.islink(full)
            data = sha(Path(full).read_bytes()) if is_file else ""
            xattrs = {each: os.getxattr(full, each) for each in os.listxattr(full)}
            own = (status.st_mode, status.st_uid, status.st_gid, status.st_nlink, status.st_rdev)
            found[os.path.relpath(full, path)] = (*own, data, sorted(xattrs.items()))
    return found


def layers_of(engine: Engine, name: str) -> list[dict[str, tuple[object, ...]]]:
    image = engine.catalog.find(name).image
    trees = []
    for link in image.chain:
        key = f"look-{link[7:20]}"
        engine.snapshots.view(key, link)
        trees.append(tree(engine.snapshots.difference(key).lowers[0]))
        engine.snapshots.remove(key)
    return trees


def left(engine: Engine) -> tuple[list[str], list[str], list[str]]:
    blobs = [str(each) for each in engine.blobs.walk()]
    snapshots = [info.name for info in engine.snapshots.walk()]
    return blobs, snapshots, os.listdir(f"{engine.blobs.root}/ingest")


def counting(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each layer was taken from those unpacked ahead."""
    taken: list[bool] = []
    real = ahead.Ahead.take

    async def take(self: ahead.Ahead, *words: object) -> object:
        staged = await real(self, *words)  # type: ignore[arg-type]
        taken.append(staged is not None)
        return staged

    monkeypatch.setattr(ahead.Ahead, "take", take)
    return taken


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
async def test_layers_come_out_as_if_they_had_been_there(
    engine: Engine, pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine.snapshots.style == "copy":
        pytest.skip("full copies need what is below them first")
    layers = [layer_tar(each) for each in (BASE, TOP, FORGETFUL)]
    data = tar_of(members_of(layers, "early:1", pack))
    taken = counting(monkeypatch)
    assert await load(engine, data) == ["Loaded image: early:1\n"]
    assert taken == [True, True, False]  # the last one's /etc must be as it is below
    early, sizes = layers_of(engine, "early:1"), engine.catalog.find("early:1").image.layer_sizes
    await remove.remove(engine, "early:1", force=False)
    assert left(engine) == ([], [], [])
    monkeypatch.setattr(ahead.Ahead, "watch", lambda *_: None)
    await load(engine, data)
    assert taken[3:] == [False, False, False]
    assert layers_of(engine, "early:1") == early
    assert engine.catalog.find("early:1").image.layer_sizes == sizes


async def test_a_load_of_what_is_there_leaves_nothing(engine: Engine) -> None:
    data = tar_of(members_of([layer_tar(BASE)], "twice:1", gzip.compress))
    await load(engine, data)
    before = left(engine)
    await load(engine, data)
    assert left(engine) == before


@pytest.mark.parametrize("pack", [bytes, partial(gzip.compress, mtime=0)])
@pytest.mark.parametrize("spelling", ["blobs/sha256/{}", "{}.tar"])
async def test_layers_that_are_here_are_not_unpacked_again(
    engine: Engine,
    pack: Callable[[bytes], bytes],
    spelling: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if engine.snapshots.style == "copy":
        pytest.skip("full copies are not unpacked ahead")
    await load(engine, tar_of(members_of([layer_tar(BASE)], "first:1", pack)))
    started = []
    real = ahead.Ahead._start

    def start(self: ahead.Ahead, *words: Any) -> None:
        started.append(words)
        real(self, *words)

    monkeypatch.setattr(ahead.Ahead, "_start", start)
    layers = [layer_tar(BASE), layer_tar(TOP)]
    members = members_of(layers, "second:1", pack)
    names = [spelling.format(sha(pack(each))) for each in layers]
    listed = {"Config": "c.json", "RepoTags": ["second:1"], "Layers": names}
    renamed = {name: members[f"{number}/layer.tar"] for number, name in enumerate(names)}
    manifest = json.dumps([listed]).encode()
    data = tar_of({"c.json": members["c.json"], **renamed, "manifest.json": manifest})
    await load(engine, data)
    assert len(started) == 1  # the upper one only
    await load(engine, data)
    assert len(started) == 1
    chains = [engine.catalog.find(name).image.chain for name in ("first:1", "second:1")]
    assert chains[0] == chains[1][:1]
    assert {info.name for info in engine.snapshots.walk()} == set(chains[1])


async def test_broken_archives_leave_nothing(engine: Engine) -> None:
    members = members_of([layer_tar(BASE), layer_tar(TOP)], "broken:1", bytes)
    whole = tar_of(members)
    lying = members | {"1/layer.tar": layer_tar(BASE)}
    damaged = members | {"1/layer.tar": gzip.compress(layer_tar(TOP))[:-300]}
    no_tar = members | {"1/layer.tar": os.urandom(LARGE)}
    for data in (whole[:LARGE], whole[:-12_000], *map(tar_of, (lying, damaged, no_tar))):
        with pytest.raises(WherryError) as failed:
            await load(engine, data)
        assert isinstance(failed.value, InvalidInput)
        assert left(engine) == ([], [], [])
        assert list(engine.catalog) == []


async def test_large_members_that_are_no_layers(engine: Engine) -> None:
    members = members_of([layer_tar(BASE)], "more:1", bytes)
    await load(engine, tar_of({"notes": os.urandom(LARGE), **members, "later": bytes(LARGE)}))
    names = {info.name for info in engine.snapshots.walk()}
    assert names == set(engine.catalog.find("more:1").image.chain)


async def test_a_client_that_leaves_in_the_midst(engine: Engine) -> None:
    whole = tar_of(members_of([layer_tar(BASE), layer_tar(TOP)], "gone:1", bytes))

    async def cut() -> AsyncIterator[bytes]:
        async for chunk in chunks(whole[:-LARGE]):
            yield chunk
        raise ConnectionAbortedError("the client is gone")

    with pytest.raises(ConnectionAbortedError):
        await archives.load(engine, cut(), lambda _: None)
    assert left(engine) == ([], [], [])
