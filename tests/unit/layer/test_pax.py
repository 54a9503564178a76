import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.layer import pax
from wherry.layer.errors import BrokenArchive
from wherry.layer.tarwriter import _record

KEYS = st.text(st.characters(exclude_characters="=", codec="utf-8"), min_size=1).filter(
    lambda key: not key.startswith("GNU.sparse.")  # these have to be numbers
)


@given(st.dictionaries(KEYS, st.binary()))
def test_records_come_back(values: dict[str, bytes]) -> None:
    data = b"".join(_record(key, value) for key, value in values.items())
    assert pax.parse(data).values == values


@pytest.mark.parametrize(
    "data",
    [
        b"5 a=b\n",
        b"99 a=b\n",
        b"x a=b\n",
        b"6 a=bc",
        b"4 ab\n",
        b"0 \n",
        b"-6 a=b\n",
        b"7  a=b\n\n",
    ],
)
def test_broken_records(data: bytes) -> None:
    with pytest.raises(BrokenArchive):
        pax.parse(data)


@pytest.mark.parametrize(
    ("text", "time"),
    [(b"1", 10**9), (b"1.5", 15 * 10**8), (b"0.0000000019", 1), (b"-2.25", -225 * 10**7)],
)
def test_times_to_the_nanosecond(text: bytes, time: int) -> None:
    assert pax.nanoseconds(text) == time


@pytest.mark.parametrize("text", [b"", b"1.x", b"--1", b"9" * 30, b"1e5"])
def test_times_that_are_none(text: bytes) -> None:
    with pytest.raises(BrokenArchive):
        pax.nanoseconds(text)


@pytest.mark.parametrize(
    ("segments", "stored", "size"),
    [
        (((0, 5), (4, 5)), 10, 100),  # overlap
        (((0, 5),), 4, 100),  # more than is stored
        (((98, 5),), 5, 100),  # past the end
        (((0, -5),), -5, 100),
    ],
)
def test_sparse_maps_that_lie(segments: pax.Segments, stored: int, size: int) -> None:
    with pytest.raises(BrokenArchive, match="sparse"):
        pax.check_segments(segments, stored, size)
