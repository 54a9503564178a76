"""Archives: round trips, the forms others write, hostile ones."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from backports import zstd

from wherry.image import archive
from wherry.image.errors import BadArchive, LyingArchive
from wherry.image.image import open_image
from wherry.image.save import Saved
from wherry.image.shelf import SMALL
from wherry.kit.errors import Corrupt, InvalidInput
from wherry.oci import blobs
from wherry.oci import manifest as manifests
from wherry.oci.config import ProcessConfig
from wherry.oci.platform import Platform, host
from wherry.testing.blobs import MemoryStore
from wherry.testing.images import image_from, index_from, layer_tar

LARGE = bytes(SMALL) + b"large"


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    memory = MemoryStore()
    yield memory
    memory.close()


class Pipe:
    """Cannot be sought, and gives odd amounts."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int = -1, /) -> bytes:
        return self._file.read(min(size, 7777) if size >= 0 else size)


def tar_of(files: dict[str, bytes | tarfile.TarInfo], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as out:
        for name, value in files.items():
            if isinstance(value, tarfile.TarInfo):
                value.name = name
                out.addfile(value)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(value)
                out.addfile(info, io.BytesIO(value))
    return buffer.getvalue()


def link(target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return info


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def config_of(*layers: bytes, **fields: object) -> bytes:
    diff_ids = ["sha256:" + sha(layer) for layer in layers]
    rootfs = {"type": "layers", "diff_ids": diff_ids}
    value = {"architecture": "amd64", "os": "linux", "rootfs": rootfs, **fields}
    return json.dumps(value, indent=1).encode()


def docker_archive(*layers: bytes, tags: list[str] | None = None) -> dict[str, Any]:
    config = config_of(*layers)
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    item = {"Config": "c.json", "RepoTags": tags, "Layers": names}
    return {
        **dict(zip(names, layers, strict=True)),
        "c.json": config,
        "manifest.json": json.dumps([item]).encode(),
    }


def load(data: bytes, store: MemoryStore) -> list[archive.LoadedImage]:
    return archive.load(Pipe(data), store)


def test_a_round_trip_keeps_digests_and_names(store: MemoryStore) -> None:
    one = image_from(store, {"bin/a": LARGE}, {"b": b"b"}, config=ProcessConfig(cmd=["/bin/a"]))
    two = image_from(store, {"bin/a": LARGE}, {"c": b"c"})
    out = io.BytesIO()
    archive.save(
        [Saved(one, ("one:1", "example.com/x/one:latest")), Saved(two)],
        out,
    )
    other = MemoryStore()
    loaded = load(out.getvalue(), other)
    assert [image.names for image in loaded] == [("one:1", "example.com/x/one:latest"), ()]
    assert [image.manifest for image in loaded] == [one.digest, two.digest]
    assert [image.config for image in loaded] == [one.id, two.id]
    again = open_image(other, loaded[0].manifest)
    assert again.config == one.config
    assert set(other.walk()) >= {one.digest, two.digest, one.layers[0].digest, two.layers[1].digest}
    other.close()


def test_saving_twice_gives_the_same_bytes_and_shared_layers_once(store: MemoryStore) -> None:
    one, two = (image_from(store, {"a": LARGE}, {"b": text}) for text in (b"1", b"2"))
    outs = [io.BytesIO(), io.BytesIO()]
    for out in outs:
        archive.save([Saved(one, ("x:1",)), Saved(two, ("x:2",))], out)
    assert outs[0].getvalue() == outs[1].getvalue()
    assert len(outs[0].getvalue()) < 2 * len(LARGE)
    outs[0].seek(0)
    with tarfile.open(fileobj=outs[0]) as members:
        names = members.getnames()
    assert len(names) == len(set(names))
    assert {"manifest.json", "index.json", "oci-layout", "repositories"} <= set(names)


@pytest.mark.parametrize("layer", [b"small", LARGE], ids=["small", "large"])
def test_a_docker_archive_is_stored_as_it_comes(store: MemoryStore, layer: bytes) -> None:
    tar = layer_tar({"x": layer})
    (loaded,) = load(tar_of(docker_archive(tar, tags=["busybox:1", "busybox:1"])), store)
    assert loaded.names == ("busybox:1",)
    image = open_image(store, loaded.manifest)
    assert image.id == loaded.config == "sha256:" + sha(config_of(tar))
    assert image.config_bytes == config_of(tar)
    assert [(item.media_type, item.digest) for item in image.layers] == [
        (manifests.OCI_LAYER, "sha256:" + sha(tar))
    ]


@pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lzma.compress, zstd.compress, lambda data: data]
)
def test_compressed_archives(store: MemoryStore, compress: Any) -> None:
    data = compress(tar_of(docker_archive(layer_tar({"x": LARGE}), tags=["a:b"])))
    assert load(data, store)[0].names == ("a:b",)


@pytest.mark.parametrize(
    ("compress", "media_type"),
    [
        (gzip.compress, manifests.OCI_LAYER_GZIP),
        (zstd.compress, manifests.OCI_LAYER_ZSTD),
        (bz2.compress, manifests.OCI_LAYER),
        (lzma.compress, manifests.OCI_LAYER),
    ],
)
def test_compressed_layers_are_checked_by_diff_id(
    store: MemoryStore, compress: Any, media_type: str
) -> None:
    tar = layer_tar({"x": b"some"})
    files = docker_archive(tar)
    files["0/layer.tar"] = compress(tar)
    (loaded,) = load(tar_of(files), store)
    image = open_image(store, loaded.manifest)
    assert image.layers[0].media_type == media_type
    files["0/layer.tar"] = compress(layer_tar({"x": b"other"}))
    with pytest.raises(LyingArchive, match="invalid diffID for layer 0"):
        load(tar_of(files), store)


def test_links_to_layers_as_docker_save_once_wrote_them(store: MemoryStore) -> None:
    tar = layer_tar({"x": b"some"})
    files = docker_archive(tar, tar)
    files["1/layer.tar"] = link("../0/layer.tar")
    assert len(open_image(store, load(tar_of(files), store)[0].manifest).layers) == 2
    files["1/layer.tar"] = link("0/layer.tar", tarfile.LNKTYPE)
    assert len(open_image(store, load(tar_of(files), store)[0].manifest).layers) == 2


def test_a_link_loop_ends(store: MemoryStore) -> None:
    files = docker_archive(b"x", b"x")
    files["0/layer.tar"], files["1/layer.tar"] = link("../1/layer.tar"), link("../0/layer.tar")
    with pytest.raises(BadArchive, match="too many links"):
        load(tar_of(files), store)


def test_the_oldest_form(store: MemoryStore) -> None:
    base, top = layer_tar({"base": b"1"}), layer_tar({"top": b"2"})
    command = {"Cmd": ["/bin/sh", "-c", "make"]}
    files: dict[str, Any] = {
        "repositories": json.dumps({"old": {"1": "bb", "2": "bb"}}).encode(),
        "aa/VERSION": b"1.0",
        "aa/json": json.dumps({"id": "aa", "created": "2014-01-01T00:00:00Z"}).encode(),
        "aa/layer.tar": base,
        "bb/json": json.dumps(
            {
                "id": "bb",
                "parent": "aa",
                "os": "linux",
                "architecture": "amd64",
                "container_config": command,
                "config": {"Cmd": ["top"]},
            }
        ).encode(),
        "bb/layer.tar": top,
    }
    (loaded,) = load(tar_of(files), store)
    assert loaded.names == ("old:1", "old:2")
    image = open_image(store, loaded.manifest)
    assert image.config.rootfs.diff_ids == ("sha256:" + sha(base), "sha256:" + sha(top))
    assert [step.created_by for step in image.config.history or ()] == ["", "/bin/sh -c make"]
    assert image.config.config == ProcessConfig(cmd=["top"])
    assert b'"id"' not in image.config_bytes
    files["aa/json"] = json.dumps({"id": "aa", "parent": "bb"}).encode()
    with pytest.raises(BadArchive, match="invalid target ID: bb"):
        load(tar_of(files), store)


def oci_archive(store: MemoryStore, *digests: str, **notes: str) -> dict[str, Any]:
    files: dict[str, Any] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
    for digest in store.walk():
        files["blobs/" + digest.replace(":", "/")] = store.open(digest).read()
    entries = [
        {
            "mediaType": manifests.media_type_of(files["blobs/" + digest.replace(":", "/")]),
            "digest": digest,
            "size": len(files["blobs/" + digest.replace(":", "/")]),
            "annotations": notes,
        }
        for digest in digests
    ]
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    return files


def test_an_oci_archive_with_nested_indexes(store: MemoryStore) -> None:
    source = MemoryStore()
    other = "s390x" if host().architecture != "s390x" else "amd64"
    foreign = image_from(source, {"x": b"foreign"}, on=Platform(other, "linux"))
    ours = image_from(source, {"x": LARGE})
    inner = index_from(source, foreign, ours)
    outer = blobs.put(
        source,
        json.dumps(
            {
                "schemaVersion": 2,
                "manifests": [
                    {"mediaType": manifests.OCI_INDEX, "digest": inner, "size": source.stat(inner)},
                    {
                        "mediaType": manifests.OCI_MANIFEST,
                        "digest": "sha256:" + "0" * 64,
                        "size": 5,
                        "platform": {"architecture": "unknown", "os": "unknown"},
                    },
                ],
            }
        ).encode(),
    )
    files = oci_archive(source, outer, **{"org.opencontainers.image.ref.name": "quay.io/a/b:c"})
    (loaded,) = load(tar_of(files), store)
    assert loaded.target == outer
    assert loaded.manifest == ours.digest
    assert loaded.names == ("quay.io/a/b:c",)
    assert open_image(store, outer, Platform(other, "linux")).digest == foreign.digest
    source.close()


def test_an_oci_archive_for_another_platform_only(store: MemoryStore) -> None:
    source = MemoryStore()
    foreign = image_from(source, {"x": b"foreign"}, on=Platform("s390x", "linux"))
    (loaded,) = load(tar_of(oci_archive(source, index_from(source, foreign))), store)
    assert loaded.manifest == foreign.digest
    assert loaded.names == ()
    source.close()


def test_oci_blobs_that_lie(store: MemoryStore) -> None:
    source = MemoryStore()
    image = image_from(source, {"x": LARGE})
    good = oci_archive(source, image.digest)
    digests = (image.digest, image.id, image.layers[0].digest)
    source.close()
    for digest in digests:
        name = "blobs/" + digest.replace(":", "/")
        with pytest.raises(LyingArchive):
            load(tar_of({**good, name: good[name][:-1] + b"!"}), store)
        fresh = MemoryStore()
        with pytest.raises(BadArchive, match="has no blob"):
            load(tar_of({key: value for key, value in good.items() if key != name}), fresh)
        fresh.close()
    assert isinstance(LyingArchive("x"), Corrupt)
    assert isinstance(LyingArchive("x"), InvalidInput)


def test_a_layer_that_is_not_what_the_config_says(store: MemoryStore) -> None:
    files = docker_archive(layer_tar({"x": b"x"}))
    files["0/layer.tar"] = layer_tar({"x": b"y"})
    with pytest.raises(LyingArchive, match="invalid diffID for layer 0"):
        load(tar_of(files), store)


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_fifos_are_refused(store: MemoryStore, kind: bytes) -> None:
    files = docker_archive(layer_tar({"x": b"x"}))
    files["0/layer.tar"] = link("", kind)
    with pytest.raises(BadArchive, match="is a "):
        load(tar_of(files), store)


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/../../evil", "a/../../../b", "a/..", ".."]
)
def test_names_that_lead_out_are_refused(store: MemoryStore, name: str) -> None:
    files = docker_archive(layer_tar({"x": b"x"}))
    with pytest.raises(BadArchive, match="leads out"):
        load(tar_of({**files, name: b"evil"}), store)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd", "../.."])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_that_lead_out_are_refused(store: MemoryStore, target: str, kind: bytes) -> None:
    files = docker_archive(layer_tar({"x": b"x"}))
    files["0/layer.tar"] = link(target, kind)
    with pytest.raises(BadArchive, match="leads out"):
        load(tar_of(files), store)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"manifest.json": b"{"}, "broken manifest.json"),
        ({"manifest.json": b"[{}]"}, "broken manifest.json"),
        ({"manifest.json": b'[{"Config": "../x", "Layers": []}]'}, "leads out"),
        ({"manifest.json": b'[{"Config": "c.json", "Layers": []}]'}, "length mismatch"),
        ({"manifest.json": b'[{"Config": "no.json", "Layers": []}]'}, "no member 'no.json'"),
        ({"c.json": b"[]"}, "c.json"),
        ({"c.json": b""}, "c.json"),
        ({"c.json": config_of(b"x", os="windows")}, "cannot load windows image on linux"),
    ],
)
def test_broken_tables_of_contents(store: MemoryStore, change: dict[str, bytes], text: str) -> None:
    with pytest.raises(BadArchive, match=text):
        load(tar_of({**docker_archive(b"x"), **change}), store)


@pytest.mark.parametrize("tag", ["UPPER:x", "a:b:c", "-", "x@sha256:00", "no-tag"])
def test_bad_names(store: MemoryStore, tag: str) -> None:
    with pytest.raises(InvalidInput):
        load(tar_of(docker_archive(b"x", tags=[tag])), store)


def test_what_is_no_image_archive(store: MemoryStore) -> None:
    whole = tar_of(docker_archive(layer_tar({"x": LARGE})))
    for data, text in [
        (b"", "not an image archive"),
        (bytes(1024), "not an image archive"),
        (tar_of({"etc/passwd": b""}), "not an image archive"),
        (b"hello" * 1000, "not a tar archive"),
        (whole[:600], "ends within"),
        (whole[: SMALL // 2], "ends within"),
        (gzip.compress(whole)[:-20], "gzip stream ends early"),
        (gzip.compress(whole)[:100] + b"\xff" * 100, "broken gzip|ends early"),
    ]:
        with pytest.raises(BadArchive, match=text):
            load(data, store)


def test_a_cut_archive_leaves_no_ingest_behind(store: MemoryStore) -> None:
    whole = tar_of(docker_archive(layer_tar({"x": LARGE})))
    with pytest.raises(BadArchive):
        load(whole[: SMALL // 2], store)
    assert list(store.walk()) == []
    assert not store._partial
    assert not store._busy


def test_long_names_and_old_headers(store: MemoryStore) -> None:
    tar = layer_tar({"x": b"x"})
    name = "d" * 90 + "/" + "e" * 150 + "/layer.tar"
    files = docker_archive(tar)
    del files["0/layer.tar"]
    item = {"Config": "c.json", "RepoTags": None, "Layers": [name]}
    files |= {name: tar, "manifest.json": json.dumps([item]).encode()}
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        assert load(tar_of(files, format=form), store)
    short = {f"./{key}": value for key, value in docker_archive(tar).items()}
    assert load(tar_of(short, format=tarfile.USTAR_FORMAT), store)


def test_progress_reaches_the_end(store: MemoryStore) -> None:
    seen: list[tuple[str, int, int]] = []
    tar = layer_tar({"x": LARGE})
    archive.load(Pipe(tar_of(docker_archive(tar))), store, lambda *step: seen.append(step))
    assert seen[-1] == ("0/layer.tar", len(tar), len(tar))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


def test_zstd_layers_are_saved_plain_too(store: MemoryStore) -> None:
    tar = layer_tar({"x": b"x"})
    files = docker_archive(tar)
    files["0/layer.tar"] = zstd.compress(tar)
    (loaded,) = load(tar_of(files), store)
    out = io.BytesIO()
    archive.save([Saved(open_image(store, loaded.manifest), ("a:b",))], out)
    out.seek(0)
    with tarfile.open(fileobj=out) as members:
        item = json.load(members.extractfile("manifest.json") or io.BytesIO())[0]
        plain = members.extractfile(item["Layers"][0])
        assert plain is not None
        assert plain.read() == tar
    assert load(out.getvalue(), store)[0].manifest == loaded.manifest


def test_xz_may_not_ask_for_any_amount_of_memory(store: MemoryStore) -> None:
    data = bytearray(lzma.compress(bytes(1024)))
    header = slice(12, 12 + (data[12] + 1) * 4 - 4)  # the first block's, without its checksum
    assert data[14:16] == b"\x21\x01"  # filter LZMA2, one byte of properties: the dictionary
    data[16] = 38  # 2 GiB
    data[header.stop : header.stop + 4] = zlib.crc32(data[header]).to_bytes(4, "little")
    with pytest.raises(LyingArchive, match="broken xz stream: Memory usage limit exceeded"):
        load(bytes(data), store)
