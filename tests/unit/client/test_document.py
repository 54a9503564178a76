"""Tolerant reading of JSON, and streams of it."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.client.document import Document, document, values
from wherry.kit.errors import Corrupt

FOUND = Document(
    {
        "Name": "/a",
        "State": {"Running": True, "Pid": 7, "Health": None, "Load": 0.5},
        "Args": ["x", 1, "y"],
        "Labels": {"a": "b", "n": 1},
        "Mounts": [{"Source": "/s"}, 5],
    }
)

objects = st.dictionaries(st.text(), st.text() | st.integers() | st.none() | st.booleans())


def test_looking_up() -> None:
    assert FOUND.text("Name") == "/a"
    assert FOUND.flag("State", "Running")
    assert FOUND.number("State", "Pid") == 7
    assert FOUND.real("State", "Load") == 0.5
    assert FOUND.texts("Args") == ["x", "y"]
    assert FOUND.mapping("Labels") == {"a": "b"}
    assert [mount.text("Source") for mount in FOUND.children("Mounts")] == ["/s"]


def test_what_is_missing_or_of_another_kind_is_empty() -> None:
    assert FOUND.text("State") == ""
    assert FOUND.text("Name", "First") == ""
    assert FOUND.number("Name") == 0
    assert not FOUND.flag("State", "Pid")
    assert FOUND.texts("Name") == []
    assert FOUND.child("State", "Health").raw == {}
    assert FOUND.children("Labels") == []
    assert FOUND.value("Nope", "Deeper") is None


@given(st.lists(objects, max_size=5), st.lists(st.integers(0, 400), max_size=10))
def test_a_stream_survives_any_cut(sent: list[dict[str, object]], places: list[int]) -> None:
    data = b"".join(json.dumps(item, ensure_ascii=False).encode() + b"\r\n" for item in sent)
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(bounds)]
    assert [item.raw for item in values(iter(pieces))] == sent


@pytest.mark.parametrize("data", [b'{"a":', b"{} nope", b'"\xff"x'])
def test_a_broken_stream_is_an_error(data: bytes) -> None:
    with pytest.raises(Corrupt):
        list(values(iter([data])))


@pytest.mark.parametrize("data", [b"", b"[]", b"nope"])
def test_what_is_no_object_is_an_error(data: bytes) -> None:
    with pytest.raises(Corrupt):
        document(data)
