"""Taking a multiplexed stream apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.client.frames import Splitter
from wherry.dockerapi.streams import STDERR, STDOUT, SYSTEM, frame
from wherry.kit.errors import Corrupt, Internal


@given(
    sent=st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.binary(max_size=100))),
    size=st.integers(1, 50),
)
def test_any_cut_gives_the_same_streams(sent: list[tuple[int, bytes]], size: int) -> None:
    data = b"".join(frame(number, payload) for number, payload in sent)
    splitter, found = Splitter(), {STDOUT: b"", STDERR: b""}
    for start in range(0, len(data), size):
        for number, piece in splitter.feed(data[start : start + size]):
            found[number] += piece
    for number in found:
        assert found[number] == b"".join(payload for kind, payload in sent if kind == number)


def test_neighbours_of_one_stream_come_as_one() -> None:
    data = frame(STDOUT, b"a") + frame(STDOUT, b"b") + frame(STDERR, b"c") + frame(STDOUT, b"d")
    found = list(Splitter().runs(data))
    assert found == [(STDOUT, b"ab"), (STDERR, b"c"), (STDOUT, b"d")]


def test_data_does_not_wait_for_the_end_of_its_frame() -> None:
    splitter = Splitter()
    assert list(splitter.feed(frame(STDOUT, b"abcdef")[:11])) == [(STDOUT, b"abc")]


def test_an_error_of_the_engine() -> None:
    with pytest.raises(Internal, match="it broke"):
        list(Splitter().feed(frame(SYSTEM, b"it broke")))


def test_an_unknown_stream() -> None:
    with pytest.raises(Corrupt, match="9"):
        list(Splitter().feed(b"\x09\0\0\0\0\0\0\1x"))
