"""Lines that are sent on: what is written, and that nothing waits for a server."""

import re
import socket
from pathlib import Path

import pytest

from wherry.kit.errors import InvalidInput
from wherry.monitor import logremote
from wherry.monitor.logremote import Remote

STAMP = 1_700_000_000_123_456_789
OPTIONS = {"kind": "syslog", "facility": "3", "tag": "web", "format": ""}


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("", rb"<30>Nov 1[45] \d\d:\d3:20 web\[7\]: hello\n"),
        ("rfc3164", rb"<30>Nov 1[45] \d\d:\d3:20 box web\[7\]: hello\n"),
        ("rfc5424", rb"<30>1 2023-11-1[45]T\d\d:\d3:20(Z|[+-]\d\d:\d\d) box web 7 web - hello\n"),
        (
            "rfc5424micro",
            rb"<30>1 2023-11-1[45]T\d\d:\d3:20\.123456(Z|[+-]\d\d:\d\d) box web 7 web - hello\n",
        ),
    ],
)
def test_formats_of_syslog(kind: str, pattern: bytes) -> None:
    write = logremote.syslog({**OPTIONS, "format": kind}, "box", 7)
    assert re.fullmatch(pattern, write(1, STAMP, b"hello"))


def test_stderr_is_an_error() -> None:
    write = logremote.syslog({**OPTIONS, "facility": "16"}, "box", 7)
    assert write(2, STAMP, b"x").startswith(b"<131>")


def test_fields_of_the_journal() -> None:
    write = logremote.journald({"kind": "journald", "CONTAINER_NAME": "web", "address": "x"})
    told = write(2, STAMP, b"two\nlines")
    assert b"CONTAINER_NAME=web\n" in told
    assert b"PRIORITY=3\n" in told
    assert told.endswith(b"MESSAGE\n\x09\0\0\0\0\0\0\0two\nlines\n")


def test_datagrams_arrive(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(f"{tmp_path}/log")
        remote = Remote({**OPTIONS, "address": f"unix://{tmp_path}/log"}, print)
        remote.send(1, STAMP, b"hello")
        assert server.recv(1000).endswith(b": hello\n")
        remote.close()


def test_a_stream_that_nobody_reads_drops_and_never_waits() -> None:
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        remote = Remote({**OPTIONS, "address": address}, told.append)
        for _ in range(300):
            remote.send(1, STAMP, b"x" * 100_000)
        assert remote.dropped > 0
        assert told == [f"{address} does not take lines in time"]
        before = remote.dropped
        remote.close()
        assert before < remote.dropped <= 300  # what was queued is counted, too


def test_what_a_server_that_went_away_had_not_taken_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(logremote, "RETRY", 1000.0)
    server = socket.create_server(("127.0.0.1", 0))
    address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    remote = Remote({**OPTIONS, "address": address}, told.append)
    while not remote._queue:
        remote.send(1, STAMP, b"x" * 100_000)
    server.close()  # with the connection that waits in its backlog: the next send fails
    assert remote.dropped == 0
    remote.send(1, STAMP, b"and this")
    assert remote.dropped >= 2
    assert told == [f"{address} is gone"]
    remote.send(1, STAMP, b"and this")
    assert told == [f"{address} is gone"]


def test_losing_is_told_each_time_that_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    remote = _without_server(tmp_path, told)
    remote.send(1, STAMP, b"lost")
    remote.send(1, STAMP, b"lost too")
    assert len(told) == 1
    monkeypatch.setattr(logremote, "RETRY", 0.0)
    remote.send(1, STAMP, b"lost much later")
    assert len(told) == 2
    assert remote.dropped == 3


def _without_server(folder: Path, told: list[str]) -> Remote:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(f"{folder}/log")
        return Remote({**OPTIONS, "address": f"unixgram://{folder}/log"}, told.append)


@pytest.mark.parametrize("address", ["unix:///nosuch/log", "tcp://127.0.0.1:1"])
def test_nobody_there_is_told_at_once(address: str) -> None:
    with pytest.raises(InvalidInput, match="failed to initialize logging driver: dial"):
        Remote({**OPTIONS, "address": address}, print)
