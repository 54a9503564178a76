"""Names of a tar stream change on the way; what is not whole is told."""

import io
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from wherry.cli.container.retar import Reading, linked, renamed
from wherry.kit.errors import Conflict
from wherry.layer.errors import BrokenArchive
from wherry.layer.reader import TarReader
from wherry.layer.tarwriter import END, Member, encode, failure

LONG = "a/" + "n" * 150
FORMATS = [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]


def made(format: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        for name, kind, content, link in (
            ("a", tarfile.DIRTYPE, b"", ""),
            ("a/file", tarfile.REGTYPE, b"x" * 1000, ""),
            ("a/hard", tarfile.LNKTYPE, b"", "a/file"),
            ("a/soft", tarfile.SYMTYPE, b"", "a/file"),
            (LONG if format != tarfile.USTAR_FORMAT else "a/n", tarfile.REGTYPE, b"y", ""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname, info.mode = kind, len(content), link, 0o640
            info.uid, info.mtime = 1000, 1_600_000_000
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def rename(name: str) -> str:
    return "new-and-long-" + "b" * 120 + name.removeprefix("a")


def passed(data: bytes, piece: int = 700) -> bytes:
    pieces = (data[at : at + piece] for at in range(0, len(data), piece))
    reading = Reading(pieces)
    out = b""
    for member in reading:
        out += renamed(member, rename) + b"".join(reading.data(member))
    return out + END


def entries(data: bytes) -> Iterator[Any]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for info in tar:
            file = tar.extractfile(info) if info.isreg() else None
            yield info, file.read() if file else b""


@pytest.mark.parametrize("format", FORMATS)
def test_names_and_hard_links_change_and_nothing_else(format: int) -> None:
    before, after = list(entries(made(format))), list(entries(passed(made(format))))
    assert len(before) == len(after) == 5
    for (old, content), (new, same) in zip(before, after, strict=True):
        assert new.name == rename(old.name)
        assert new.linkname == (rename(old.linkname) if old.islnk() else old.linkname)
        assert content == same
        for field in ("mode", "uid", "mtime", "size", "type"):
            assert getattr(new, field) == getattr(old, field)


def test_what_keeps_its_name_keeps_its_bytes() -> None:
    data = made(tarfile.PAX_FORMAT)
    reading = Reading(iter([data]))
    out = b"".join(
        renamed(member, lambda name: name) + b"".join(reading.data(member)) for member in reading
    )
    assert data.startswith(out)


@pytest.mark.parametrize("format", FORMATS)
def test_an_archive_that_is_cut_anywhere_is_told(format: int) -> None:
    data = made(format)
    end = len(data.rstrip(b"\0"))
    for cut in range(0, end, 256):
        with pytest.raises(BrokenArchive):
            passed(data[:cut])


def test_what_the_engine_says_of_itself() -> None:
    data = encode(Member("f", "0", size=3)) + b"abc".ljust(512, b"\0") + failure("it changed")
    with pytest.raises(Conflict, match="it changed"):
        passed(data)


def test_links_have_all_that_the_file_has() -> None:
    xattrs = (("security.capability", b"\1\0\0\2\0 \0\0"),)
    source = Member("d/f", "0", 0o4755, 7, 8, 3, 1_600_000_000, xattrs=xattrs)
    reading = Reading(iter([encode(source) + b"abc".ljust(512, b"\0") + END]))
    (link,) = [
        linked(member, "d/f", "s/d/f") for member in reading for _ in [list(reading.data(member))]
    ]
    entry = TarReader(iter([link + END])).next()
    assert entry is not None
    assert (entry.kind, entry.name, entry.link, entry.size) == ("1", "d/f", "s/d/f", 0)
    assert (entry.mode, entry.uid, entry.gid) == (0o4755, 7, 8)
    assert entry.xattrs == xattrs
