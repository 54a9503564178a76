"""Exact reading: holes, and files that change meanwhile."""

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from wherry.layer import archive, sparse
from wherry.layer.reader import TarReader
from wherry.layer.tarwriter import END, FAILURE, failure

HOLE = 4 << 20


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    with open(tmp_path / "holes", "wb") as file:
        file.seek(HOLE)
        file.write(b"middle")
        file.truncate(3 * HOLE)
    with open(tmp_path / "empty", "wb") as file:
        file.truncate(HOLE)
    (tmp_path / "full").write_bytes(os.urandom(100_000))
    fd = os.open(tmp_path, os.O_PATH)
    yield fd
    os.close(fd)


def copied(root: int, name: str, to: Path) -> os.stat_result:
    reader = TarReader(archive.read(root, f"/{name}", exact=True), whole=True)
    entry = reader.next()
    assert entry is not None
    descriptor = os.open(to, os.O_WRONLY | os.O_CREAT)
    try:
        reader.copy_to(descriptor, entry)
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("name", ["holes", "empty", "full"])
def test_content_and_holes(root: int, tmp_path: Path, name: str) -> None:
    before = os.stat(tmp_path / name)
    after = copied(root, name, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == (tmp_path / name).read_bytes()
    assert after.st_blocks <= before.st_blocks
    size = sum(len(piece) for piece in archive.read(root, f"/{name}", exact=True))
    assert size < before.st_blocks * 512 + 10_000


@pytest.mark.parametrize("name", ["holes", "empty"])
def test_pythons_tarfile_reads_it(root: int, tmp_path: Path, name: str) -> None:
    data = b"".join(archive.read(root, f"/{name}", exact=True))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        (info,) = tar.getmembers()
        file = tar.extractfile(info)
        assert file is not None
        assert info.name == name
        assert file.read() == (tmp_path / name).read_bytes()


def test_a_file_in_too_many_pieces_has_no_map(tmp_path: Path, monkeypatch: object) -> None:
    path = tmp_path / "pieces"
    with open(path, "wb") as file:
        for number in range(20):
            file.seek(number * 65536 * 2)
            file.write(b"x")
        file.truncate(HOLE)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        found = sparse.segments(descriptor, os.fstat(descriptor))
        assert found is not None
        assert len(found) == 20
        assert os.lseek(descriptor, 0, os.SEEK_CUR) == 0
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("change", ["grow", "shrink", "touch"])
def test_a_file_that_changes(root: int, tmp_path: Path, change: str) -> None:
    path = tmp_path / "full"
    path.write_bytes(bytes(5 << 20))
    pieces = archive.read(root, "/full", exact=True)
    next(pieces)
    if change == "touch":
        os.utime(path, (1, 1))
    else:
        os.truncate(path, 100 if change == "shrink" else 6 << 20)
    rest = b"".join(pieces)
    assert FAILURE.encode() in rest
    assert b"full changed while it was read" in rest
    assert not rest.endswith(END)


def test_a_failure_ends_the_archive() -> None:
    data = failure("disk on fire")
    assert FAILURE.encode() in data
    assert len(data) % 512 == 0
