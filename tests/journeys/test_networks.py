"""Networks by the command line, as root and as a plain user; and through crashes of the daemon."""

import json
import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.journeys import engine as engines
from tests.journeys.engine import PROGRAM, Engine, engine

FOREVER = ("busybox", "sleep", "1000")


@pytest.fixture(scope="module")
def running() -> Iterator[Engine]:
    with engine() as here:
        yield here


@pytest.fixture
def host(running: Engine) -> Iterator[Engine]:
    yield running
    for name in running.out("ps", "-aq").split():
        running.run("rm", "-f", name)
    running.run("network", "prune", "-f")


def start(host: Engine, name: str, *words: str) -> None:
    host.run("run", "-d", "--name", name, *words, *FOREVER)


def networks(host: Engine, name: str) -> dict[str, dict[str, object]]:
    found = json.loads(host.out("inspect", name))[0]["NetworkSettings"]["Networks"]
    assert isinstance(found, dict)
    return found


def finds(host: Engine, name: str, other: str) -> bool:
    """Whether a container is told the other one's address by its name server, and reaches it."""
    words = ("exec", name, "busybox", "ping", "-c", "1", "-W", "2", other)
    done = subprocess.run(
        [*PROGRAM, *words], env=host.environment, capture_output=True, check=False, timeout=60
    )
    return done.returncode == 0


def test_a_network_from_its_making_to_its_end(host: Engine) -> None:
    id = host.out("network", "create", "--subnet", "10.81.0.0/24", "--label", "a=b", "net")
    assert host.out("network", "ls", "-q", "--no-trunc", "-f", "label=a=b") == id
    line = next(line for line in host.out("network", "ls").splitlines() if " net " in line)
    assert line.split() == [id[:12], "net", "bridge", "local"]
    start(host, "web", "--network", "net", "--network-alias", "www", "--ip", "10.81.0.9")
    start(host, "app", "--network", "net")
    assert finds(host, "app", "web") and finds(host, "app", "www")
    assert host.out("network", "inspect", "-f", "{{len .Containers}}", "net") == "2"
    host.run("network", "rm", "net", code=1)
    host.run("rm", "-f", "web", "app")
    assert "net" in host.out("network", "prune", "--dry-run")
    assert host.out("network", "rm", "net") == "net"


def test_a_running_container_is_connected_and_disconnected(host: Engine) -> None:
    for name, subnet in (("one", "10.82.0.0/24"), ("two", "10.83.0.0/24")):
        host.run("network", "create", "--subnet", subnet, name)
    start(host, "web", "--network", "two")
    start(host, "app", "--network", "one")
    assert not finds(host, "app", "web")
    host.run("network", "connect", "--ip", "10.83.0.77", "two", "app")
    assert networks(host, "app")["two"]["IPAddress"] == "10.83.0.77"
    assert finds(host, "app", "web")
    host.run("restart", "-t", "0", "app")
    assert networks(host, "app")["two"]["IPAddress"] == "10.83.0.77"
    assert finds(host, "app", "web")
    host.run("network", "disconnect", "two", "app")
    assert not finds(host, "app", "web")


def test_what_is_connected_stays_so_when_the_daemon_dies(host: Engine) -> None:
    for name in ("one", "two"):
        host.run("network", "create", name)
    start(host, "web", "--network", "two")
    start(host, "app", "--network", "one")
    host.run("network", "connect", "two", "app")
    before = networks(host, "app")
    engines.kill_daemon(host)
    engines.start_daemon(host)
    assert networks(host, "app") == before
    assert finds(host, "app", "web")
    host.run("network", "disconnect", "two", "app")
    assert not finds(host, "app", "web")


@pytest.mark.parametrize("point", ["connect.before-join", "connect.after-join"])
def test_a_connection_cut_short_is_taken_back(
    host: Engine, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        host.run("network", "create", name)
    start(host, "app", "--network", "one")
    _restart_with(host, f"{point}=kill", monkeypatch)
    host.run("network", "connect", "two", "app", code=1)
    host.daemons[-1].wait(20)
    _restart_with(host, "", monkeypatch)
    assert list(networks(host, "app")) == ["one"]
    assert "eth1" not in host.out("exec", "app", "busybox", "ip", "link")
    host.run("network", "connect", "two", "app")
    assert "eth1" in host.out("exec", "app", "busybox", "ip", "link")


def test_a_disconnection_cut_short_is_finished(
    host: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        host.run("network", "create", name)
    start(host, "app", "--network", "one")
    host.run("network", "connect", "two", "app")
    _restart_with(host, "disconnect.before-leave=kill", monkeypatch)
    host.run("network", "disconnect", "two", "app", code=1)
    host.daemons[-1].wait(20)
    _restart_with(host, "", monkeypatch)
    assert list(networks(host, "app")) == ["one"]
    assert "eth1" not in host.out("exec", "app", "busybox", "ip", "link")


def _restart_with(host: Engine, failpoints: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if host.daemons[-1].poll() is None:
        engines.kill_daemon(host)
    monkeypatch.setenv("WHERRY_FAILPOINTS", failpoints)
    engines.start_daemon(host)


@pytest.mark.parametrize("point", ["network-create.after-ledger", "network-remove.before-ledger"])
def test_a_network_half_made_or_half_removed_can_be_used_or_removed(
    host: Engine, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    making = "create" in point
    if not making:
        host.run("network", "create", "net")
    _restart_with(host, f"{point}=kill", monkeypatch)
    host.run("network", "create" if making else "rm", "net", code=1)
    host.daemons[-1].wait(20)
    _restart_with(host, "", monkeypatch)
    start(host, "web", "--network", "net")
    start(host, "app", "--network", "net")
    assert finds(host, "app", "web")


def test_ipv6_in_a_network(host: Engine) -> None:
    host.run("network", "create", "--ipv6", "net")
    start(host, "web", "--network", "net")
    start(host, "app", "--network", "net")
    address = str(networks(host, "web")["net"]["GlobalIPv6Address"])
    assert ":" in address
    host.run("exec", "app", "busybox", "ping6", "-c", "1", "-W", "2", address)


def test_macvlan_without_a_parent(host: Engine) -> None:
    host.run("network", "create", "-d", "macvlan", "--subnet", "10.84.0.0/24", "net")
    start(host, "web", "--network", "net")
    start(host, "app", "--network", "net")
    assert finds(host, "app", "web")


def test_not_every_link_can_be_a_parent(host: Engine) -> None:
    words = ("-d", "macvlan", "-o", "parent=lo", "--subnet", "10.84.0.0/24", "net")
    said = host.run("network", "create", *words, code=1).stderr
    assert ("cannot be the parent" if os.geteuid() == 0 else "needs root") in said
    assert "net" not in host.out("network", "ls", "--format", "{{.Name}}").split()
