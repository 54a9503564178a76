"""A file system that really is full: a tmpfs of 3 MB."""

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wherry.content.files import FileStore
from wherry.content.ingest import StorageFull
from wherry.image import archive
from wherry.image.save import Saved
from wherry.oci import blobs
from wherry.testing.blobs import MemoryStore
from wherry.testing.images import image_from

pytestmark = pytest.mark.root
_DETACH = 2


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    libc = ctypes.CDLL(None, use_errno=True)
    target = os.fsencode(tmp_path / "small")
    os.mkdir(target)
    if libc.mount(b"tmpfs", target, b"tmpfs", 0, b"size=3m") != 0:
        pytest.skip(f"mount tmpfs: {os.strerror(ctypes.get_errno())}")
    try:
        yield tmp_path / "small"
    finally:
        libc.umount2(target, _DETACH)


def test_loading_into_a_full_disk_leaves_no_partial_blob_and_can_be_repeated(small: Path) -> None:
    memory = MemoryStore()
    image = image_from(memory, {"x": os.urandom(2 << 20)}, {"y": os.urandom(2 << 20)})
    with (small.parent / "image.tar").open("wb") as out:
        archive.save([Saved(image, ("big:1",))], out)
    memory.close()
    store = FileStore(str(small / "content"))
    with (
        (small.parent / "image.tar").open("rb") as file,
        pytest.raises(StorageFull, match=r"write .*: no space left on device \(after"),
    ):
        archive.load(file, store)
    assert os.listdir(small / "content/ingest") == []
    for digest in list(store.walk()):  # what did come is sound, and there is room again
        blobs.read(store, digest, 10 << 20)
        store.delete(digest)
    blobs.put(store, b"still usable")


def test_no_room_for_the_notes_of_an_ingest(small: Path) -> None:
    store = FileStore(str(small / "content"))
    with (
        open(small / "filler", "wb", buffering=0) as filler,
        pytest.raises(OSError, match="No space"),
    ):
        while True:
            filler.write(bytes(4096))
    with pytest.raises(StorageFull, match="no space left on device"), store.writer("r") as ingest:
        ingest.write(b"x" * 8192)
    (small / "filler").unlink()
    with store.writer("r") as ingest:
        assert ingest.offset == 0
        ingest.write(b"x")
        ingest.commit()
