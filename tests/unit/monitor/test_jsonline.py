import json
import re
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wherry.kit.clock import parse_rfc3339, rfc3339
from wherry.monitor.jsonline import JsonLines, attributes, escape, gzip_extra
from wherry.monitor.logdecode import decode
from wherry.monitor.logentries import decode_json
from wherry.monitor.loglines import Clock, Piece, Splitter

DATA = Path(__file__).parent / "data"
TIME = re.compile(rb'"time":"([^"]*)"')


def go_escape(data: bytes) -> str:
    """The rules of dockerd's encoder, byte by byte."""
    out, at = "", 0
    while at < len(data):
        for size in (1, 2, 3, 4):
            try:
                char = data[at : at + size].decode()
                break
            except UnicodeDecodeError:
                continue
        else:
            out, at = out + "\\ufffd", at + 1
            continue
        at += len(char.encode())
        if char in '"\\':
            out += "\\" + char
        elif char in "\n\r":
            out += {"\n": "\\n", "\r": "\\r"}[char]
        elif char < " " or char in "<>&\u2028\u2029":
            out += f"\\u{ord(char):04x}"
        else:
            out += char
    return out


text = (
    st.binary() | st.text().map(str.encode) | st.text('ab\\"<>&\t\r\x00\x7f\u2028é').map(str.encode)
)


@given(text)
@example(b"\xe2\x82")
@example(b"\xed\xa0\x80 \xf4\x90\x80\x80 \xc0\x80 \xef\xbf\xbd \xff")
@example("\u2028 and \\ufffd".encode() + b"\x80")
def test_escape_is_gos(data: bytes) -> None:
    data = data.replace(b"\n", b"")
    assert escape(data).decode() == go_escape(data)
    assert json.loads(b'"' + escape(data) + b'"') == json.loads(f'"{go_escape(data)}"')


@given(st.lists(text, min_size=1, max_size=5))
def test_a_block_is_its_lines(parts: list[bytes]) -> None:
    parts = [part.replace(b"\n", b"") for part in parts]
    encoder = JsonLines(Clock())
    entries = encoder.encode(1, Piece(b"\n".join(parts), True))
    singly = [encoder.encode(1, Piece(part, True))[0] for part in parts]
    without_time = re.compile(rb'"time":"[^"]*"')
    assert [without_time.sub(b"", e) for e in entries] == [without_time.sub(b"", e) for e in singly]


def test_form() -> None:
    encoder = JsonLines(Clock(), (("b", "2"), ("a", '<"1">')))
    stamp = parse_rfc3339("2026-01-02T03:04:05.120000000Z") + 1
    assert encoder.encode(2, Piece(b"100% <x>", True, stamp)) == [
        b'{"log":"100% \\u003cx\\u003e\\n","stream":"stderr",'
        b'"attrs":{"a":"\\u003c\\"1\\"\\u003e","b":"2"},'
        b'"time":"2026-01-02T03:04:05.120000001Z"}\n'
    ]
    assert encoder.encode(1, Piece(b"part", False, stamp))[0].startswith(b'{"log":"part","stream"')


def test_percent_in_attributes() -> None:
    encoder = JsonLines(Clock(), (("k%s", "100%"),))
    (entry,) = encoder.encode(1, Piece(b"x", True))
    assert json.loads(entry)["attrs"] == {"k%s": "100%"}


def test_times_are_rfc3339nano() -> None:
    encoder = JsonLines(Clock())
    for _ in range(50):
        (entry,) = encoder.encode(1, Piece(b"x", True))
        shown = json.loads(entry)["time"]
        assert rfc3339(parse_rfc3339(shown)) == shown
        assert abs(parse_rfc3339(shown) - time.time_ns()) < 10**9


def test_a_block_over_the_end_of_a_second(monkeypatch: object) -> None:
    clock = Clock()
    clock.last = (time.time_ns() // 10**9 + 1000) * 10**9 - 20
    entries = JsonLines(clock).encode(1, Piece(b"\n".join([b"x"] * 40), True))
    times = [parse_rfc3339(json.loads(entry)["time"]) for entry in entries]
    assert times == sorted(times)
    assert len({stamp // 10**9 for stamp in times}) == 2


def test_no_attributes() -> None:
    assert attributes(()) == ""


def test_gzip_extra() -> None:
    assert gzip_extra(1_500_000_000) == b'{"lastTime":"1970-01-01T00:00:01.500000000Z"}'


@given(st.lists(st.tuples(st.sampled_from([1, 2]), text), max_size=6))
def test_both_decoders_agree(parts: list[tuple[int, bytes]]) -> None:
    encoder = JsonLines(Clock(), (("k", "v"),))
    data = b"".join(
        entry
        for stream, part in parts
        for entry in encoder.encode(stream, Piece(part.replace(b"\n", b""), True))
    )
    entries, used = decode("json-file", data + b'{"log":"torn')
    assert (entries, used) == decode_json(data + b'{"log":"torn')
    assert used == len(data)
    texts = [part.replace(b"\n", b"").decode(errors="replace") for _, part in parts]
    if all("\ufffd" not in shown for shown in texts):
        assert [entry.text.decode() for entry in entries] == [shown + "\n" for shown in texts]
    assert all(entry.attrs == (("k", "v"),) for entry in entries)


def test_a_broken_line_is_left_out() -> None:
    good = JsonLines(Clock()).encode(1, Piece(b"good", True))[0]
    entries, used = decode("json-file", good + b"rubbish\n" + good)
    assert [entry.text for entry in entries] == [b"good\n", b"good\n"]
    assert used == 2 * len(good) + 8


@pytest.mark.parametrize("size", [7, 2048, 65536])
def test_dockerds_own_file(size: int) -> None:
    """What dockerd 20.10.24 wrote for the same output, but for the times.

    Which lines share a time (the pieces of a long one) has to agree as well.
    """
    output = (DATA / "dockerd-20.10.output").read_bytes()
    expected = (DATA / "dockerd-20.10-json.log").read_bytes()
    clock = Clock()
    splitter, encoder, entries = Splitter(clock), JsonLines(clock), []
    for at in range(0, len(output), size):
        for piece in splitter.feed(output[at : at + size]):
            entries += encoder.encode(1, piece)
    for piece in splitter.finish():
        entries += encoder.encode(1, piece)
    log = b"".join(entries)
    assert TIME.sub(b"", log) == TIME.sub(b"", expected)
    assert shared_times(log) == shared_times(expected)


def shared_times(log: bytes) -> list[bool]:
    times = TIME.findall(log)
    return [one == next_ for one, next_ in pairwise(times)]
