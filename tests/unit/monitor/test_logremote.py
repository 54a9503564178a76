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
        remote = Remote({**OPTIONS, "address": f"unix://{tmp_path}/log"})
        remote.send(1, STAMP, b"hello")
        assert server.recv(1000).endswith(b": hello\n")
        remote.close()


def test_a_stream_that_nobody_reads_drops_and_never_waits() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        remote = Remote({**OPTIONS, "address": f"tcp://127.0.0.1:{server.getsockname()[1]}"})
        for _ in range(300):
            remote.send(1, STAMP, b"x" * 100_000)
        assert remote.dropped > 0
        remote._sock.close()  # type: ignore[union-attr]
        remote._sock = None
        remote.close()


def test_a_server_that_goes_away_costs_lines_only(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(f"{tmp_path}/log")
        remote = Remote({**OPTIONS, "address": f"unixgram://{tmp_path}/log"})
    remote.send(1, STAMP, b"lost")
    remote.send(1, STAMP, b"lost too")
    assert remote.dropped == 2
    remote.close()


@pytest.mark.parametrize("address", ["unix:///nosuch/log", "tcp://127.0.0.1:1"])
def test_nobody_there_is_told_at_once(address: str) -> None:
    with pytest.raises(InvalidInput, match="failed to initialize logging driver: dial"):
        Remote({**OPTIONS, "address": address})
