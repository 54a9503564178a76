import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.monitor.jsonline import JsonLines
from wherry.monitor.locallines import LocalLines
from wherry.monitor.logcompress import compress
from wherry.monitor.logentries import Entry
from wherry.monitor.loglines import Clock, Piece
from wherry.monitor.logoutput import Form, render
from wherry.monitor.logread import Reader, Selection, open_files, read
from wherry.monitor.protocol import LogConfig


def make(folder: Path, driver: str, counts: list[int], compressed: bool) -> LogConfig:
    """Segments of so many entries, oldest first; entry N says N."""
    clock, number = Clock(), 0
    encoder = LocalLines(clock) if driver == "local" else JsonLines(clock)
    path = folder / "log"
    for at, count in enumerate(counts):
        name = str(path) if at == len(counts) - 1 else f"{path}.{len(counts) - 1 - at}"
        with open(name, "wb") as file:
            for _ in range(count):
                file.write(encoder.encode(1 + number % 2, Piece(b"%d" % number, True))[0])
                number += 1
        if compressed and at < len(counts) - 1:
            compress(name, clock.last)
    return LogConfig(str(path), driver, max_file=len(counts))


def numbers(config: LogConfig, selection: Selection) -> list[int]:
    return [int(e.text) for batch in read(open_files(config), selection) for e in batch]


@pytest.mark.parametrize("driver", ["json-file", "local"])
@pytest.mark.parametrize("compressed", [False, True])
@settings(max_examples=25)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=4), st.integers(-1, 70))
def test_tail(driver: str, compressed: bool, counts: list[int], tail: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        config = make(Path(folder), driver, counts, compressed)
        everything = list(range(sum(counts)))
        wanted = everything if tail < 0 else everything[len(everything) - tail :]
        if tail > len(everything):
            wanted = everything
        before = len(os.listdir("/proc/self/fd"))
        assert numbers(config, Selection(tail=tail)) == wanted
        assert len(os.listdir("/proc/self/fd")) == before


def test_since_until_streams(tmp_path: Path) -> None:
    config = make(tmp_path, "json-file", [10, 10], False)
    entries = [e for batch in read(open_files(config), Selection()) for e in batch]
    assert numbers(config, Selection(since=entries[5].stamp)) == list(range(5, 20))
    assert numbers(config, Selection(until=entries[5].stamp)) == list(range(6))
    assert numbers(config, Selection(since=entries[3].stamp, tail=4)) == [16, 17, 18, 19]
    assert numbers(config, Selection(stdout=False)) == list(range(1, 20, 2))
    assert numbers(config, Selection(since=entries[-1].stamp + 1)) == []


def test_what_came_later_is_not_in_the_backlog(tmp_path: Path) -> None:
    config = make(tmp_path, "json-file", [3], False)
    reader = Reader(open_files(config), Selection())
    line = JsonLines(Clock()).encode(1, Piece(b"99", True))[0]
    with open(config.path, "ab") as file:
        file.write(line[:10])
        file.flush()
        assert [int(e.text) for b in reader.backlog() for e in b] == [0, 1, 2]
        assert list(reader.more()) == []
        file.write(line[10:])
        file.flush()
        assert [int(e.text) for b in reader.more() for e in b] == [99]
    reader.close()


def test_render() -> None:
    entries = [Entry(1, 1_500_000_000, b"out\n", (("b", "x y"), ("a", "1"))), Entry(2, 1, b"err\n")]
    assert render(entries, Form()) == b"\x01\0\0\0\0\0\0\x04out\n\x02\0\0\0\0\0\0\x04err\n"
    assert render(entries, Form(mux=False)) == b"out\nerr\n"
    assert render(entries[:1], Form(mux=False, timestamps=True, details=True)) == (
        b"1970-01-01T00:00:01.500000000Z a=1,b=x+y out\n"
    )
    assert render(entries[1:], Form(mux=False, details=True)) == b" err\n"
