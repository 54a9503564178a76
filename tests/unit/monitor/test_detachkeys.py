import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.kit.errors import InvalidInput
from wherry.monitor.detachkeys import DEFAULT, Detector, parse


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", DEFAULT),
        ("ctrl-p,ctrl-q", b"\x10\x11"),
        ("ctrl-@", b"\x00"),
        ("ctrl-[,a", b"\x1ba"),
        ("DEL", b"\x7f"),
        ("a,b,c", b"abc"),
    ],
)
def test_parse(text: str, keys: bytes) -> None:
    assert parse(text) == keys


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-1", "ctrl-pq", "ab", "a,,b", "é", "ctrl-A"])
def test_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse(text)


def test_a_broken_beginning_passes() -> None:
    detector = Detector(b"\x10\x11")
    assert detector.feed(b"a\x10") == (b"a", False)
    assert detector.feed(b"b") == (b"\x10b", False)
    assert detector.feed(b"\x10") == (b"", False)
    assert detector.feed(b"\x10") == (b"\x10", False)
    assert detector.feed(b"\x11rest") == (b"", True)


@given(
    st.binary(min_size=1, max_size=3).map(lambda raw: bytes(byte % 2 for byte in raw)),
    st.lists(st.binary(max_size=6).map(lambda raw: bytes(byte % 2 for byte in raw)), max_size=8),
)
def test_like_a_search_in_the_whole(keys: bytes, pieces: list[bytes]) -> None:
    detector, passed, found = Detector(keys), b"", False
    for piece in pieces:
        out, found = detector.feed(piece)
        passed += out
        if found:
            break
    whole = b"".join(pieces)
    if found:
        assert passed == whole[: whole.find(keys)]
    else:
        assert keys not in whole
        assert whole.startswith(passed)
        assert keys.startswith(whole[len(passed) :])
