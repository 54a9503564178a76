import bz2
import gzip
import io
import lzma
import sys
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.kit.errors import Corrupt
from wherry.oci.compression import (
    ZlibDecoder,
    detect,
    gzip_encoder,
    plain_pieces,
    read_pieces,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}
KINDS = sorted(PACK)


def unpacked(data: bytes, size: int = 1 << 17) -> bytes:
    return b"".join(plain_pieces(read_pieces(io.BytesIO(data), size)))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.binary(), size=st.integers(min_value=1, max_value=50))
def test_found_out_and_unpacked_whatever_the_pieces(kind: str, data: bytes, size: int) -> None:
    assert detect(PACK[kind](data)) == kind
    assert unpacked(PACK[kind](data), size) == data


@pytest.mark.parametrize("kind", KINDS)
def test_several_members_and_zero_padding(kind: str) -> None:
    assert unpacked(PACK[kind](b"one") + PACK[kind](b"two") + bytes(1024), 7) == b"onetwo"


@pytest.mark.parametrize("kind", KINDS)
def test_an_early_end_is_an_error(kind: str) -> None:
    data = PACK[kind](b"content" * 1000)
    for cut in (len(data) - 1, len(data) - 5, len(data) // 2):
        with pytest.raises(Corrupt, match=r"ends early|broken"):
            unpacked(data[:cut])


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_an_error(kind: str) -> None:
    data = bytearray(PACK[kind](bytes(range(256)) * 100))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(Corrupt):
        unpacked(bytes(data))


def test_what_follows_must_be_of_the_same_kind() -> None:
    with pytest.raises(Corrupt, match="followed by something else"):
        unpacked(gzip.compress(b"x") + b"not a member")


def test_plain_bytes_pass() -> None:
    assert unpacked(b"") == b""
    assert unpacked(b"ab", 1) == b"ab"
    assert unpacked(b"no magic at all") == b"no magic at all"


def test_the_standard_library_stands_in_for_isal() -> None:
    data = gzip.compress(b"a" * 3_000_000)
    decoder, plain = ZlibDecoder(), 0
    plain += len(decoder.decompress(data + b"rest", 1000))
    while not decoder.eof:
        plain += len(decoder.decompress(b"", 1 << 20))
    assert plain == 3_000_000
    assert decoder.unused_data == b"rest"


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_needs_no_memory(kind: str) -> None:
    data = PACK[kind](bytes(64 << 20))
    tracemalloc.start()
    try:
        total = sum(len(piece) for piece in plain_pieces(read_pieces(io.BytesIO(data))))
        assert total == 64 << 20
        assert tracemalloc.get_traced_memory()[1] < 24 << 20  # xz wants its dictionary
    finally:
        tracemalloc.stop()


def test_our_gzip_is_read_by_others() -> None:
    encoder = gzip_encoder()
    data = encoder.compress(b"hello " * 1000) + encoder.flush()
    assert gzip.decompress(data) == b"hello " * 1000
