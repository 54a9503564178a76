import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.layer import header
from wherry.layer.errors import BrokenArchive


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
def test_reads_what_tarfile_writes(format: int) -> None:
    info = tarfile.TarInfo("usr/bin/x")
    info.mode, info.uid, info.gid, info.size, info.mtime = 0o4755, 12, 34, 567, 1_600_000_000
    found = header.parse(info.tobuf(format)[:512])
    assert found[:6] == ("usr/bin/x", 0o4755, 12, 34, 567, 1_600_000_000)
    assert found.kind == header.REGULAR


def test_prefix_is_joined_only_in_ustar() -> None:
    name = "p" * 90 + "/" + "n" * 90
    assert header.parse(tarfile.TarInfo(name).tobuf(tarfile.USTAR_FORMAT)[:512]).name == name


@given(st.integers(min_value=-(1 << 62), max_value=(1 << 62) - 1))
def test_base_256_as_gnu_tar_writes_it(value: int) -> None:
    raw = value.to_bytes(12, "big", signed=True)
    first = 0x80 | raw[0] & 0x7F if value >= 0 else 0xFF
    assert header.number(bytes([first]) + raw[1:]) == value


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"0000644\0", 0o644),
        (b"000644 \0", 0o644),
        (b"   644 \0", 0o644),
        (bytes(8), 0),
        (b"7\0junk..", 7),
    ],
)
def test_octal_in_the_forms_that_writers_use(raw: bytes, value: int) -> None:
    assert header.number(raw) == value


def test_numbers_that_are_none() -> None:
    with pytest.raises(BrokenArchive, match="not an octal number"):
        header.number(b"12x4567\0")


def test_a_wrong_checksum_is_refused_and_a_signed_one_taken() -> None:
    block = bytearray(tarfile.TarInfo("caf\u00e9").tobuf(tarfile.GNU_FORMAT)[:512])
    signed = 256 + sum(b - 256 if b > 127 else b for b in block[:148] + block[156:])
    block[148:156] = b"%06o\0 " % signed
    assert header.parse(bytes(block)).name == "caf\u00e9"
    block[0] ^= 1
    with pytest.raises(BrokenArchive, match="checksum"):
        header.parse(bytes(block))


@given(st.binary(min_size=512, max_size=512), st.booleans())
def test_any_block_is_read_or_refused(block: bytes, with_sum: bool) -> None:
    if with_sum:  # past the checksum, so that the fields are looked at
        rest = sum(block[:148] + block[156:]) + 256
        block = block[:148] + b"%06o\0 " % rest + block[156:]
    try:
        assert "\0" not in header.parse(block).name
    except BrokenArchive as error:
        assert not with_sum or "not an octal" in str(error)
