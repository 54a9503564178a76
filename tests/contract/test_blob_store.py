"""What every BlobStore must do, run on the folder and on the one in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from wherry.content.files import FileStore
from wherry.content.ingest import DigestMismatch
from wherry.kit.errors import Conflict, Corrupt, InvalidInput, NotFound
from wherry.oci import blobs
from wherry.oci import digest as digests
from wherry.oci.blobs import BlobStore
from wherry.oci.digest import Digest
from wherry.testing.blobs import MemoryStore

DATA = b"some bytes that are a blob" * 1000
DIGEST = digests.of_bytes(DATA)
ABSENT = digests.of_bytes(b"absent")


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlobStore]:
    if request.param == "folder":
        yield FileStore(str(tmp_path / "content"))
        return
    memory = MemoryStore()
    yield memory
    memory.close()


def test_a_blob_comes_back_whole(store: BlobStore) -> None:
    assert blobs.put(store, DATA) == DIGEST
    assert store.stat(DIGEST) == len(DATA)
    with store.open(DIGEST) as file:
        assert file.read() == DATA
        file.seek(5)
        assert file.read(4) == DATA[5:9]
    with open(store.path(DIGEST), "rb") as file:
        assert file.read() == DATA
    assert list(store.walk()) == [DIGEST]


def test_absent_blobs_are_not_found(store: BlobStore) -> None:
    for ask in (store.open, store.stat, store.path, store.delete):
        with pytest.raises(NotFound, match=ABSENT):
            ask(ABSENT)


@pytest.mark.parametrize("digest", ["sha256:../../etc/passwd", "md5:00", "", "sha256:ABC"])
def test_a_digest_cannot_be_a_path(store: BlobStore, digest: str) -> None:
    with pytest.raises(InvalidInput):
        store.open(Digest(digest))


def test_delete(store: BlobStore) -> None:
    blobs.put(store, DATA)
    store.delete(DIGEST)
    assert list(store.walk()) == []
    with pytest.raises(NotFound):
        store.stat(DIGEST)


def test_nothing_is_visible_before_commit(store: BlobStore) -> None:
    with store.writer("r", expected=DIGEST, size=len(DATA)) as ingest:
        ingest.write(DATA)
        assert list(store.walk()) == []
        with pytest.raises(NotFound):
            store.stat(DIGEST)
        assert ingest.commit() == DIGEST
    assert store.stat(DIGEST) == len(DATA)


def test_resume_goes_on_where_it_stopped(store: BlobStore) -> None:
    with store.writer("r", expected=DIGEST, size=len(DATA)) as ingest:
        ingest.write(DATA[:7000])
    with store.writer("r", expected=DIGEST, size=len(DATA)) as ingest:
        assert ingest.offset == 7000
        ingest.write(memoryview(DATA)[7000:])
        assert ingest.commit() == DIGEST


def test_another_expectation_starts_anew(store: BlobStore) -> None:
    with store.writer("r", expected=ABSENT) as ingest:
        ingest.write(b"something else")
    with store.writer("r", expected=DIGEST, size=len(DATA)) as ingest:
        assert ingest.offset == 0
        ingest.write(DATA)
        ingest.commit()


def test_restart_drops_what_is_there(store: BlobStore) -> None:
    with store.writer("r", expected=DIGEST) as ingest:
        ingest.write(b"wrong start")
        ingest.restart()
        assert ingest.offset == 0
        ingest.write(DATA)
        assert ingest.commit() == DIGEST


@pytest.mark.parametrize("bytes_", [DATA[:-1], DATA + b"x", b"x" + DATA[1:], b""])
def test_a_lie_is_refused_and_forgotten(store: BlobStore, bytes_: bytes) -> None:
    with store.writer("r", expected=DIGEST, size=len(DATA)) as ingest, pytest.raises(Corrupt):
        ingest.write(bytes_)
        ingest.commit()
    assert list(store.walk()) == []
    with store.writer("r", expected=DIGEST, size=len(DATA)) as ingest:
        assert ingest.offset == 0
        ingest.write(DATA)
        ingest.commit()


def test_the_digest_may_be_told_at_commit(store: BlobStore) -> None:
    with store.writer("r") as ingest, pytest.raises(Corrupt, match="expected digest"):
        ingest.write(DATA)
        ingest.commit(ABSENT)


def test_two_writers_of_a_ref_conflict(store: BlobStore) -> None:
    with store.writer("r") as first:
        with pytest.raises(Conflict, match="'r'"):
            store.writer("r")
        with store.writer("another") as other:
            other.write(b"x")
            other.commit()
        first.abort()
    store.writer("r").close()


def test_two_refs_may_bring_the_same_blob(store: BlobStore) -> None:
    with store.writer("a", expected=DIGEST) as a, store.writer("b", expected=DIGEST) as b:
        a.write(DATA)
        b.write(DATA)
        assert a.commit() == b.commit() == DIGEST
    with store.open(DIGEST) as file:
        assert file.read() == DATA


def test_abort_leaves_nothing(store: BlobStore) -> None:
    with store.writer("r") as ingest:
        ingest.write(DATA)
        ingest.abort()
        ingest.abort()
    with store.writer("r") as ingest:
        assert ingest.offset == 0


def test_sha512(store: BlobStore) -> None:
    import hashlib

    digest = Digest("sha512:" + hashlib.sha512(DATA).hexdigest())
    with store.writer("r", expected=digest) as ingest:
        ingest.write(DATA)
        assert ingest.commit() == digest
    assert list(store.walk()) == [digest]
    with store.open(digest) as file:
        assert file.read() == DATA


def test_the_empty_blob(store: BlobStore) -> None:
    digest = blobs.put(store, b"")
    assert store.stat(digest) == 0
    with store.open(digest) as file:
        assert file.read() == b""


def test_small_reads_are_limited(store: BlobStore) -> None:
    blobs.put(store, DATA)
    with pytest.raises(Corrupt, match="at most 10"):
        blobs.read(store, DIGEST, 10)
    assert issubclass(DigestMismatch, Corrupt)
