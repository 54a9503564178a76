"""Log drivers beside dockerd: what arrives at a syslog server, what logs still shows, refusals."""

import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.compat.pair import Daemon, Pair, missing

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]
NAME = "logging"


@pytest.fixture(autouse=True)
def removed(daemons: Pair) -> Iterator[None]:
    yield
    for daemon in daemons.both:
        daemon.docker("rm", "-f", NAME)


def both(daemons: Pair, look: Callable[[Daemon], Any]) -> None:
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(look, daemons.both)
    assert ours == theirs


_TIME = (
    r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?(Z|\+\d\d:\d\d)"
)


def hidden(message: bytes) -> str:
    text = re.sub(_TIME, "<time>", message.decode())
    text = re.sub(r"\[\d+\]|(?<=<short>) \d+ (?=<short>)", "<pid>", text)
    text = re.sub(r"\b[0-9a-f]{12}\b", "<short>", text)
    return re.sub(r"(\S+) \d+ (\S+) - ", r"\1 <pid> \2 - ", text)


@pytest.mark.parametrize("form", ["", "rfc3164", "rfc5424", "rfc5424micro"])
@pytest.mark.parametrize("more", [(), ("--log-opt", "tag=x/{{.Name}}/{{.ImageName}}",
                                       "--log-opt", "syslog-facility=local3")])  # fmt: skip
def test_what_arrives(daemons: Pair, form: str, more: tuple[str, ...]) -> None:
    def look(daemon: Daemon) -> list[object]:
        path = f"{daemons.shared}/{daemon.name}.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.bind(path)
            server.settimeout(20)
            flags = ("--log-driver", "syslog", "--log-opt", f"syslog-address=unixgram://{path}")
            if form:
                flags = (*flags, "--log-opt", f"syslog-format={form}")
            script = "echo one; echo two; sleep 0.5; echo three >&2"
            daemon.must("run", "--name", NAME, *flags, *more, "plain", "sh", "-c", script)
            seen: list[object] = [hidden(server.recv(4096)) for _ in range(3)]
            logs = daemon.docker("logs", NAME)
        (daemons.shared / f"{daemon.name}.sock").unlink()
        path_shown = daemon.must("inspect", "-f", "{{.LogPath}}", NAME)
        daemon.must("rm", "-f", NAME)
        return [*seen, logs.stdout, logs.stderr, path_shown]

    both(daemons, look)


@pytest.mark.parametrize(
    "flags",
    [
        ("--log-driver", "syslog", "--log-opt", "max-size=1m"),
        ("--log-driver", "syslog", "--log-opt", "syslog-address=1.2.3.4"),
        ("--log-driver", "syslog", "--log-opt", "syslog-address=unix:///nosuch"),
        ("--log-driver", "syslog", "--log-opt", "syslog-facility=nosuch"),
        ("--log-driver", "syslog", "--log-opt", "syslog-format=nosuch"),
        ("--log-driver", "json-file", "--log-opt", "nosuch=1"),
        ("--log-opt", "mode=fast"),
        ("--log-opt", "max-buffer-size=1m"),
    ],
)
def test_what_is_refused(daemons: Pair, flags: tuple[str, ...]) -> None:
    def look(daemon: Daemon) -> tuple[int, str]:
        done = daemon.docker("create", "--name", NAME, *flags, "plain")
        return done.returncode, done.stderr

    both(daemons, look)


@pytest.mark.parametrize(
    "flags",
    [
        ("--log-driver", "journald"),
        ("--log-driver", "syslog", "--log-opt", "syslog-address=tcp://127.0.0.1:1"),
    ],
)
def test_what_cannot_be_reached(daemons: Pair, flags: tuple[str, ...]) -> None:
    def look(daemon: Daemon) -> list[object]:
        done = daemon.docker(
            "run", "-d", "--pull", "never", "--name", NAME, *flags, "plain", "true"
        )
        text = done.stderr if done.returncode else ""
        return [done.returncode, text.splitlines()[:1]]

    both(daemons, look)
