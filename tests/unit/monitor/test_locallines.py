from hypothesis import given
from hypothesis import strategies as st

from wherry.monitor.locallines import LocalLines
from wherry.monitor.logentries import decode_local
from wherry.monitor.loglines import Clock, Piece


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(), st.booleans())), st.integers(0, 99))
def test_there_and_back(parts: list[tuple[int, bytes, bool]], cut: int) -> None:
    encoder = LocalLines(Clock())
    data, expected = b"", []
    for stream, raw, whole in parts:
        text = raw.replace(b"\n", b"")
        stamp = None if whole else 1234
        data += b"".join(encoder.encode(stream, Piece(text, whole, stamp)))
        expected.append((stream, text + b"\n" if whole else text))
    entries, used = decode_local(data)
    assert [(entry.stream, entry.text) for entry in entries] == expected
    assert used == len(data)
    fewer, used = decode_local(data[: max(0, len(data) - cut)])
    assert fewer == entries[: len(fewer)]
    assert used <= len(data)
