import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.layer.errors import BrokenArchive
from wherry.layer.reader import Entry, TarReader


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def read(data: bytes, size: int = 1 << 20) -> list[tuple[Entry, bytes]]:
    """All entries with their content, through a file as in real use."""
    found = []
    reader = TarReader(pieces(data, size))
    for entry in reader:
        descriptor = os.memfd_create("content")
        try:
            reader.copy_to(descriptor, entry)
            found.append((entry, os.pread(descriptor, 1 << 24, 0)))
        finally:
            os.close(descriptor)
    return found


names = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=120)


@given(
    st.lists(
        st.tuples(st.lists(names, min_size=1, max_size=3), st.binary(max_size=1500)), max_size=6
    ),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.integers(min_value=1, max_value=3000),
)
def test_reads_what_tarfile_writes(files: Any, format: int, size: int) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        for parts, content in files:
            info = tarfile.TarInfo("/".join(parts))
            info.size, info.uid, info.mtime = len(content), 1 << 30, 1.25
            tar.addfile(info, io.BytesIO(content))
    with tarfile.open(fileobj=io.BytesIO(buffer.getvalue())) as tar:
        wanted = [(info.name, info.uid, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]
    got = [
        (entry.name.rstrip("/"), entry.uid, content)
        for entry, content in read(buffer.getvalue(), size)
    ]
    assert got == wanted


def test_global_headers_hold_until_they_are_overruled() -> None:
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer,
        mode="w",
        format=tarfile.PAX_FORMAT,
        pax_headers={"uid": "7", "comment": "x"},
    ) as tar:
        for name, headers in (("a", {}), ("b", {"uid": "9"})):
            info = tarfile.TarInfo(name)
            info.pax_headers = headers
            tar.addfile(info)
    assert [(entry.name, entry.uid) for entry, _ in read(buffer.getvalue())] == [("a", 7), ("b", 9)]


def test_times_keep_their_nanoseconds_and_bad_ones_become_the_epoch(kit: Any) -> None:
    late = kit.archive(kit.member("late", mtime=1 << 40), kit.member("fine", mtime=1.000000001))
    assert [entry.mtime for entry, _ in read(late)] == [0, 1_000_000_001]


@pytest.mark.parametrize("cut", [1, 511, 513, 700, 1023])
def test_truncated_archives(kit: Any, cut: int) -> None:
    data = kit.archive(kit.member("file", content=b"x" * 600))
    with pytest.raises(BrokenArchive, match="ends early"):
        read(data[:cut])


def test_an_archive_without_its_end_blocks_is_taken(kit: Any) -> None:
    data = kit.archive(kit.member("file", content=b"x" * 512))
    assert [entry.name for entry, _ in read(data[:1024])] == ["file"]
    assert read(b"") == []


def _with_size(kit: Any, size: int, kind: str = "0") -> bytes:
    info, _ = kit.member("file", kind)
    info.size = size
    header: bytes = info.tobuf(tarfile.GNU_FORMAT)
    return header + bytes(1024)


def test_sizes_that_lie(kit: Any) -> None:
    with pytest.raises(BrokenArchive, match="ends early"):
        read(_with_size(kit, 1 << 40))
    with pytest.raises(BrokenArchive, match="impossible size"):
        read(_with_size(kit, -1))
    for kind in "LKxg":
        with pytest.raises(BrokenArchive, match="too large"):
            read(_with_size(kit, 1 << 40, kind))


def test_impossible_owners(kit: Any) -> None:
    with pytest.raises(BrokenArchive, match="impossible owner"):
        read(kit.archive(kit.member("file", uid=1 << 40)))


def test_links_have_no_data_whatever_their_size_says(kit: Any) -> None:
    info, _ = kit.member("link", "1", linkname="other")
    info.size = 5000
    data = info.tobuf(tarfile.GNU_FORMAT) + kit.archive(kit.member("next"))
    assert [entry.name for entry, _ in read(data)] == ["link", "next"]


def test_an_extended_header_without_a_member(kit: Any) -> None:
    data = kit.archive(kit.member("n" * 200))
    with pytest.raises(BrokenArchive, match="after an extended header"):
        read(data[:1024])


SPARSE = [["--sparse", "--format=gnu"]] + [
    ["--sparse", "--format=pax", f"--sparse-version={version}"] for version in ("0.0", "0.1", "1.0")
]


@pytest.mark.parametrize("options", SPARSE, ids=lambda options: options[-1])
def test_sparse_files_of_gnu_tar(tmp_path: Path, options: list[str]) -> None:
    if shutil.which("tar") is None:
        pytest.skip("no GNU tar here")
    with open(tmp_path / "holes", "wb") as file:
        for number in range(40):  # more segments than fit into one header
            file.seek(number * 1_000_000 + 123)
            file.write(b"data%02d" % number)
        file.truncate(45_000_000)
    command = ["tar", "-C", str(tmp_path), *options, "-cf", "-", "holes"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    assert len(data) < 1_000_000
    reader = TarReader(pieces(data, 1000))
    entry = reader.next()
    assert entry is not None
    assert (entry.name, entry.real_size) == ("holes", 45_000_000)
    with open(tmp_path / "copy", "wb") as file:
        reader.copy_to(file.fileno(), entry)
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "holes").read_bytes()
    assert os.stat(tmp_path / "copy").st_blocks * 512 < 2_000_000
    assert reader.next() is None


@given(st.binary(max_size=3000))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read(data)
    except BrokenArchive as error:
        assert str(error)
