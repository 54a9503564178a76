import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.dockerapi import streams
from wherry.kit.errors import Corrupt

FRAMES = st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=40)), max_size=8)


@given(FRAMES, st.integers(1, 30))
def test_frames_come_back_however_they_are_cut(wanted: list[tuple[int, bytes]], piece: int) -> None:
    text = b"".join(streams.frame(stream, payload) for stream, payload in wanted)
    decoder = streams.Decoder()
    found = [
        one for at in range(0, len(text), piece) for one in decoder.feed(text[at : at + piece])
    ]
    assert found == wanted
    assert decoder.pending() == 0


def test_the_header_is_big_endian() -> None:
    assert streams.header(streams.STDERR, 258) == b"\x02\0\0\0\0\0\x01\x02"


def test_an_unfinished_frame_is_kept() -> None:
    decoder = streams.Decoder()
    assert list(decoder.feed(streams.frame(1, b"abc")[:-1])) == []
    assert decoder.pending() == 10


def test_an_unknown_stream_is_corrupt() -> None:
    with pytest.raises(Corrupt):
        list(streams.Decoder().feed(b"\x09\0\0\0\0\0\0\0"))
