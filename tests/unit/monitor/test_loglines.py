from hypothesis import given
from hypothesis import strategies as st

from wherry.monitor.loglines import LIMIT, Clock, Piece, Splitter


def lines(pieces: list[Piece]) -> list[tuple[bytes, bool]]:
    out: list[tuple[bytes, bool]] = []
    for piece in pieces:
        parts = piece.text.split(b"\n") if piece.whole else [piece.text]
        out += [(part, piece.whole) for part in parts]
    return out


def as_dockerd(data: bytes) -> list[tuple[bytes, bool]]:
    """dockerd's copier on the whole stream: pieces of 16 KiB, the rest with the newline."""
    out: list[tuple[bytes, bool]] = []
    *whole, last = data.split(b"\n")
    for line in whole:
        while len(line) >= LIMIT:
            out.append((line[:LIMIT], False))
            line = line[LIMIT:]
        out.append((line, True))
    while len(last) >= LIMIT:
        out.append((last[:LIMIT], False))
        last = last[LIMIT:]
    return [*out, (last, False)] if last else out


stretches = st.lists(
    st.tuples(st.sampled_from([b"a", b"\n"]), st.sampled_from([0, 1, 2, LIMIT - 1, LIMIT, 50000])),
    max_size=6,
)


@given(stretches, st.sampled_from([1, 2048, 16384, 65536]))
def test_cut_as_dockerd_cuts(parts: list[tuple[bytes, int]], size: int) -> None:
    data = b"".join(byte * (count if byte == b"a" else min(count, 3)) for byte, count in parts)
    size = max(size, len(data) // 200 + 1)
    splitter, pieces = Splitter(Clock()), []
    for at in range(0, len(data), size):
        pieces += splitter.feed(data[at : at + size])
        assert len(splitter.pending) < LIMIT
    assert lines(pieces + splitter.finish()) == as_dockerd(data)


def test_all_pieces_of_a_line_have_its_first_time() -> None:
    splitter = Splitter(Clock())
    pieces = splitter.feed(b"x" * (3 * LIMIT) + b"\n" + b"short\n")
    assert len({piece.stamp for piece in pieces[:4]}) == 1
    assert pieces[0].stamp is not None
    assert pieces[3] == Piece(b"", True, pieces[0].stamp)
    assert pieces[4] == Piece(b"short", True, None)


@given(st.lists(st.integers(1, 300), max_size=20))
def test_times_grow_and_end_in_no_zero(counts: list[int]) -> None:
    clock = Clock()
    stamps = [stamp for count in counts for stamp in clock.stamps(count)]
    assert len(stamps) == sum(counts)
    assert all(stamp % 10 for stamp in stamps)
    assert sorted(set(stamps)) == stamps
