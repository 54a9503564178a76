"""Mark and sweep, and what leases keep from it."""

import os
import threading
from pathlib import Path

import pytest

from wherry.content import lease
from wherry.content.collect import collect, reachable
from wherry.content.files import FileStore
from wherry.kit import clock
from wherry.kit.errors import NotFound
from wherry.oci import blobs
from wherry.oci import digest as digests
from wherry.testing.images import image_from, index_from


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(str(tmp_path))


def test_a_root_keeps_all_that_it_names(store: FileStore) -> None:
    kept = image_from(store, {"bin/a": b"a"}, {"b": b"b"})
    other = image_from(store, {"c": b"c"})
    index = index_from(store, kept)
    everything = {index, kept.digest, kept.id, *(layer.digest for layer in kept.layers)}
    assert reachable(store, [index]) == everything
    garbage = {other.digest, other.id, other.layers[0].digest}
    removed = collect(store, [index])
    assert set(removed.digests) == garbage
    assert removed.size > 0
    assert set(store.walk()) == everything


def test_a_config_or_layer_as_a_root_keeps_itself(store: FileStore) -> None:
    image = image_from(store, {"a": b"a"})
    collect(store, [image.id, image.layers[0].digest])
    assert set(store.walk()) == {image.id, image.layers[0].digest}


def test_missing_children_and_json_that_is_no_manifest_do_no_harm(store: FileStore) -> None:
    image = image_from(store, {"a": b"a"})
    store.delete(image.layers[0].digest)
    odd = blobs.put(store, b'{"manifests": 5}')
    bad = blobs.put(store, b"{")
    collect(store, [image.digest, odd, bad])
    assert set(store.walk()) == {image.digest, image.id, odd, bad}


def test_a_lease_keeps_what_is_written_and_looked_up(store: FileStore) -> None:
    there = blobs.put(store, b"there")
    held = lease.create(store.root)
    leased = store.leased(held)
    new = blobs.put(leased, b"new")
    leased.stat(there)
    loose = blobs.put(store, b"loose")
    assert collect(store, []).digests == (loose,)
    assert set(store.walk()) == {there, new}
    held.release()
    held.release()
    assert set(collect(store, []).digests) == {there, new}
    with pytest.raises(NotFound, match="lease"):
        leased.stat(there)


def test_a_lease_ends_by_itself(store: FileStore) -> None:
    blobs.put(store.leased(lease.create(store.root, duration=clock.SECOND)), b"long enough")
    over = lease.create(store.root, duration=0)
    digest = blobs.put(store.leased(over), b"over")
    assert collect(store, []).digests == (digest,)
    assert len(os.listdir(f"{store.root}/leases")) == 1


def test_old_ingests_go_but_not_while_they_are_written(store: FileStore) -> None:
    with store.writer("old") as old:
        old.write(b"x" * 100)
    with store.writer("held") as held:
        held.write(b"y")
        assert collect(store, [], ingest_age=0).size == 100
        held.commit()
    with store.writer("fresh") as fresh:
        fresh.write(b"z")
    assert collect(store, [digests.of_bytes(b"y")]).size == 0
    assert len(os.listdir(f"{store.root}/ingest")) == 1


def test_a_leased_lookup_never_races_with_the_sweep(store: FileStore) -> None:
    """After a successful leased `stat` the blob stays, however often somebody collects."""
    stop = threading.Event()

    def sweep() -> None:
        while not stop.is_set():
            collect(store, [])

    thread = threading.Thread(target=sweep)
    thread.start()
    try:
        for number in range(60):
            held = lease.create(store.root)
            leased = store.leased(held)
            digest = blobs.put(store, b"%d" % number)
            try:
                leased.stat(digest)
            except NotFound:
                continue
            store.stat(digest)
            held.release()
    finally:
        stop.set()
        thread.join()
