"""The reader of tar streams, against Python's writer and against noise."""

import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.image.errors import BadArchive
from wherry.image.tarstream import MAX_EXTENSION, members

NAMES = st.text(
    st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=300
).filter(lambda name: name.strip("/") and not name.endswith("/"))
FORMATS = st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])


@settings(deadline=None)
@given(files=st.lists(st.tuples(NAMES, st.binary(max_size=2000)), max_size=5), form=FORMATS)
def test_what_python_writes_is_read(files: list[tuple[str, bytes]], form: int) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as out:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    buffer.seek(0)
    found = [(m.name, b"".join(iter(lambda m=m: m.read(700), b""))) for m in members(buffer)]
    assert found == files


@settings(deadline=None)
@given(files=st.lists(NAMES, min_size=2, max_size=4))
def test_members_that_are_not_read_are_skipped(files: list[str]) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        for name in files:
            info = tarfile.TarInfo(name)
            info.size = 1000
            out.addfile(info, io.BytesIO(bytes(1000)))
    buffer.seek(0)
    assert [member.name for member in members(buffer)] == files


@settings(deadline=None)
@given(at=st.integers(0, 2047), value=st.integers(0, 255))
def test_a_changed_byte_gives_an_error_or_other_members_but_no_crash(at: int, value: int) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as out:
        info = tarfile.TarInfo("n" * 120)
        info.size = 3
        out.addfile(info, io.BytesIO(b"abc"))
    data = bytearray(buffer.getvalue())
    data[at] = value
    try:
        for member in members(io.BytesIO(data)):
            member.read()
    except BadArchive:
        pass


def test_large_sizes_in_base_256() -> None:
    info = tarfile.TarInfo("big")
    info.size = 10 << 30
    (member,) = _first(info.tobuf(tarfile.GNU_FORMAT))
    assert member == ("big", 10 << 30)
    assert _first(info.tobuf(tarfile.PAX_FORMAT)) == [("big", 10 << 30)]


def _first(header: bytes) -> list[tuple[str, int]]:
    reader = members(io.BytesIO(header))
    member = next(reader)
    return [(member.name, member.size)]


def test_an_extension_of_a_gigabyte_is_not_read() -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    with pytest.raises(BadArchive, match="too large"):
        list(members(io.BytesIO(info.tobuf(tarfile.GNU_FORMAT))))
    assert MAX_EXTENSION < 1 << 30


def test_negative_sizes() -> None:
    header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT))
    header[124:136] = b"\xff" * 12
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 256 + sum(header[156:]))
    with pytest.raises(BadArchive, match="negative"):
        list(members(io.BytesIO(bytes(header))))
