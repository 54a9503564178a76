"""The name server inside of containers: the same questions to dockerd's and to ours."""

import contextlib
import os
from collections.abc import Iterator

import pytest

from tests.compat.pair import Daemon, Pair
from wherry.testing.dns import AAAA, PTR, A, Answer, NameServer, lookup, lookup_tcp, reply

FRONT, BACK = "Front.Net", "back"
GATEWAY = "10.50.0.1"
MX = 15
QUESTIONS = [
    ("web", A),
    ("WEB", A),
    ("web", AAAA),
    ("web", MX),
    ("Www", A),
    ("www", A),
    ("web.Front.Net", A),
    ("web.back", A),
    ("other", A),
    ("Front.Net", A),
    ("store", A),
    ("store", AAAA),
    ("example.org", A),
    ("example.org", AAAA),
    ("missing.example.org", A),
    ("short", A),
    ("2.0.50.10.in-addr.arpa", PTR),
    ("3.0.50.10.in-addr.arpa", PTR),
    ("9.9.9.10.in-addr.arpa", PTR),
]
SETTINGS = [
    (),
    ("--dns-opt", "ndots:1"),
    ("--dns-opt", "rotate", "--dns-search", "a.example", "--dns-search", "b.example"),
    ("--dns-search", "."),
]


def behave(query: bytes, _: bool) -> bytes:
    """What the world says: one name is there."""
    if b"\x07example\x03org" in query and b"\x07missing" not in query:
        return reply(query, "192.0.2.1") if query[-4:-2] == b"\0\1" else reply(query)
    return reply(query, code=3)


def start(daemon: Daemon, *options: str) -> str:
    return daemon.must("run", "-d", *options, "plain", "sleep", "1000").strip()


@contextlib.contextmanager
def inside(daemon: Daemon, container: str) -> Iterator[int]:
    pid = daemon.must("inspect", "-f", "{{.State.Pid}}", container).strip()
    descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.fixture(scope="module")
def named(daemons: Pair) -> Iterator[Pair]:
    """Two networks, containers in them, and a server for all other names at the gateway."""
    with contextlib.ExitStack() as stack:
        for daemon in daemons.both:
            daemon.must("network", "create", "--subnet", "10.50.0.0/24", FRONT)
            daemon.must("network", "create", "--subnet", "10.51.0.0/24", BACK)
            start(daemon, "--name", "web", "--network", FRONT, "--network-alias", "Www")
            start(daemon, "--name", "web2", "--network", FRONT, "--network-alias", "Www")
            start(daemon, "--name", "other", "--network", BACK)
            daemon.must("network", "connect", BACK, "web")
            where = os.open(f"/proc/{daemon.pid}/ns/net", os.O_RDONLY)
            stack.callback(os.close, where)
            stack.enter_context(NameServer(where, GATEWAY, behave))
        yield daemons
        for daemon in daemons.both:
            daemon.must("rm", "-f", *daemon.must("ps", "-aq").split())
            daemon.must("network", "rm", FRONT, BACK)


def told(daemon: Daemon, options: tuple[str, ...]) -> dict[str, object]:
    """Every answer, and the container's own file."""
    container = start(daemon, "--network", FRONT, "--dns", GATEWAY, *options)
    with inside(daemon, container) as where:
        found: dict[str, object] = {
            f"{name} {kind}": in_order(lookup(where, name, kind)) for name, kind in QUESTIONS
        }
        found["by tcp"] = lookup_tcp(where, "web")
        short = daemon.must("inspect", "-f", "{{.Id}}", "web")[:12]
        found["short id"] = lookup(where, short)
    found["resolv.conf"] = daemon.must("exec", container, "cat", "/etc/resolv.conf")
    daemon.must("rm", "-f", container)
    return found


def in_order(answer: Answer | str) -> Answer | str:
    """Several addresses come in any order, from both."""
    return answer if isinstance(answer, str) else answer._replace(data=tuple(sorted(answer.data)))


@pytest.mark.parametrize("options", SETTINGS, ids=" ".join)
def test_the_same_answers(named: Pair, options: tuple[str, ...]) -> None:
    assert told(named.wherry, options) == told(named.dockerd, options)


def test_names_come_and_go(named: Pair) -> None:
    seen = []
    for daemon in named.both:
        asking = start(daemon, "--network", FRONT, "--dns", GATEWAY)
        with inside(daemon, asking) as where:
            steps = [lookup(where, "late")]
            start(daemon, "--name", "late", "--network", FRONT)
            steps.append(lookup(where, "late"))
            daemon.must("rename", "late", "later")
            steps += [lookup(where, "late"), lookup(where, "later")]
            daemon.must("network", "disconnect", FRONT, "later")
            steps.append(lookup(where, "later"))
            daemon.must("network", "connect", "--alias", "again", FRONT, "later")
            steps.append(lookup(where, "again"))
            daemon.must("rm", "-f", "later")
            steps.append(lookup(where, "again"))
            daemon.must("network", "connect", "--link", "web:store", BACK, asking)
            steps.append(lookup(where, "store"))
        daemon.must("rm", "-f", asking)
        codes = [(step.code, len(step.data)) for step in steps if isinstance(step, Answer)]
        seen.append(codes)
    assert seen[0] == seen[1]
    assert seen[1] == [(3, 0), (0, 1), (3, 0), (0, 1), (3, 0), (0, 1), (3, 0), (0, 1)]
