"""Networks beside dockerd: created, shown, connected, refused; and what they carry."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat import pair, probe_image
from tests.compat.pair import Daemon, Pair

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(pair.missing()), reason=pair.missing() or "-"),
]
FOREVER = ("sleep", "1000")
GET = """
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=5) as answer:
    print(answer.read().decode(), end="")
"""


@pytest.fixture
def both(daemons: Pair) -> Iterator[Pair]:
    """The pair; afterwards without containers and networks of a test."""
    yield daemons
    for daemon in daemons.both:
        if left := daemon.docker("ps", "-aq").stdout.split():
            daemon.must("rm", "-f", *left)
        daemon.must("network", "prune", "-f")


def image(daemon: Daemon) -> str:
    del daemon
    return probe_image.PLAIN


def run(daemon: Daemon, name: str, *words: str) -> None:
    daemon.must("run", "-d", "--name", name, *words, image(daemon), *FOREVER)


def inspected(daemon: Daemon, *words: str) -> dict[str, object]:
    found = json.loads(daemon.must(*words))
    assert isinstance(found, list)
    answer = found[0]
    assert isinstance(answer, dict)
    return answer


def network(daemon: Daemon, name: str) -> dict[str, object]:
    """`network inspect` without what differs by nature."""
    found = inspected(daemon, "network", "inspect", name)
    return {key: value for key, value in found.items() if key not in ("Id", "Created")}


def inside(daemon: Daemon, name: str, script: str) -> str:
    return daemon.must("exec", name, "sh", "-c", script)


CREATED = [
    (),
    ("--subnet", "10.91.0.0/16", "--ip-range", "10.91.5.0/24", "--gateway", "10.91.5.254"),
    ("--subnet", "10.92.0.0/16", "--aux-address", "printer=10.92.0.9"),
    ("--internal", "--attachable", "--label", "a=b", "-o", "x=y"),
    ("-o", "com.docker.network.bridge.enable_icc=false"),
    ("--ipv6", "--subnet", "fd00:91::/64"),
    ("--ipv6", "--subnet", "10.93.0.0/24", "--subnet", "fd00:92::/64"),
]


@pytest.mark.parametrize("words", CREATED, ids=" ".join)
def test_a_network_is_shown_as_dockerd_shows_it(both: Pair, words: tuple[str, ...]) -> None:
    shown = []
    for daemon in both.both:
        daemon.must("network", "create", *words, "n")
        found = network(daemon, "n")
        if not any("--subnet" in word and "fd" not in words[-1] for word in words):
            _without_chosen_pools(found)
        shown.append(found)
    assert shown[0] == shown[1]


def _without_chosen_pools(found: dict[str, object]) -> None:
    """Which of the default pools is free is another matter on each."""
    ipam = found["IPAM"]
    assert isinstance(ipam, dict)
    for pool in ipam["Config"]:
        if pool["Subnet"].startswith(("172.", "192.168.")):
            assert pool.pop("Subnet").split("/")[0] == pool.pop("Gateway")[:-1] + "0"


REFUSED = [
    (("network", "create", "bridge"), 403),
    (("network", "create", "-d", "nosuch", "n"), 404),
    (("network", "create", "-d", "host", "n"), 403),
    (("network", "rm", "bridge"), 403),
    (("network", "rm", "nosuch"), 404),
    (("network", "inspect", "nosuch"), 404),
    (("network", "connect", "nosuch", "cc"), 404),
    (("network", "connect", "n", "nosuch"), 404),
    (("network", "connect", "host", "cc"), 400),
    (("network", "connect", "none", "cc"), 400),
    (("network", "connect", "n", "cc"), 403),
    (("network", "connect", "--ip", "172.17.0.9", "bridge", "cc"), 400),
    (("network", "connect", "--ip", "10.0.0.9", "m", "cc"), 400),
    (("network", "connect", "--alias", "q", "bridge", "cc"), 400),
    (("network", "rm", "n"), 403),
    (("network", "create", "n"), 409),
]


@pytest.mark.parametrize("words", [words for words, _ in REFUSED], ids=" ".join)
def test_what_is_refused_is_refused_in_the_same_words(both: Pair, words: tuple[str, ...]) -> None:
    said = []
    for daemon in both.both:
        daemon.must("network", "create", "n")
        daemon.must("network", "create", "m")
        run(daemon, "cc", "--network", "n")
        known = {
            inspected(daemon, "network", "inspect", name)["Id"]: f"<{name}>" for name in ("n", "m")
        }
        done = daemon.docker(*words)
        text = done.stderr
        for id, name in known.items():
            text = text.replace(str(id), name)
        said.append((done.returncode, text))
    assert said[0] == said[1]


def test_a_container_in_two_networks_is_shown_as_dockerd_shows_it(both: Pair) -> None:
    shown = []
    for daemon in both.both:
        daemon.must("network", "create", "--subnet", "10.94.0.0/24", "a")
        daemon.must("network", "create", "--subnet", "10.95.0.0/24", "b")
        run(daemon, "cc", "--network", "a", "--network-alias", "x", "--ip", "10.94.0.7")
        daemon.must("network", "connect", "--alias", "y", "--ip", "10.95.0.8", "b", "cc")
        shown.append([_endpoints(daemon), inside(daemon, "cc", "ip route; cat /etc/hosts")])
        daemon.must("network", "disconnect", "a", "cc")
        # dockerd takes our other lines out of /etc/hosts as well
        shown[-1] += [_endpoints(daemon), inside(daemon, "cc", "ip route")]
        daemon.must("stop", "-t", "0", "cc")
        shown[-1] += [_endpoints(daemon)]
        daemon.must("start", "cc")
        shown[-1] += [_endpoints(daemon)]
    ids = [daemon.must("ps", "-q", "--no-trunc").strip() for daemon in both.both]
    texts = [
        json.dumps(each).replace(id, "<id>").replace(id[:12], "<short>")
        for each, id in zip(shown, ids, strict=True)
    ]
    assert texts[0] == texts[1]


def _endpoints(daemon: Daemon) -> dict[str, object]:
    settings = inspected(daemon, "inspect", "cc")["NetworkSettings"]
    assert isinstance(settings, dict)
    found = {}
    for name, endpoint in settings["Networks"].items():
        endpoint["NetworkID"] = bool(endpoint["NetworkID"])
        endpoint["EndpointID"] = bool(endpoint["EndpointID"])
        found[name] = endpoint
    return found


def test_events_of_networks(both: Pair) -> None:
    told = []
    for daemon in both.both:
        since = str(int(time.time()))
        daemon.must("network", "create", "n")
        run(daemon, "cc", "--network", "n")
        daemon.must("rm", "-f", "cc")
        daemon.must("network", "rm", "n")
        form = "{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}}"
        words = ("--since", since, "--until", str(int(time.time()) + 1), "--format", form)
        told.append(daemon.must("events", *words, "--filter", "type=network").splitlines())
    mine = [line for line in told[1] if line.split()[1] == "n"]
    assert [line for line in told[0] if line.split()[1] == "n"] == mine
    assert [line.split()[0] for line in mine] == ["create", "connect", "disconnect", "destroy"]


# what only ours is asked: that packets go where they must


@pytest.fixture(scope="module")
def ours() -> Iterator[Daemon]:
    with pair.alone() as daemon:
        yield daemon


@pytest.fixture
def alone(ours: Daemon) -> Iterator[Daemon]:
    yield ours
    if left := ours.docker("ps", "-aq").stdout.split():
        ours.must("rm", "-f", *left)
    ours.must("network", "prune", "-f")


def reaches(daemon: Daemon, name: str, address: str) -> bool:
    command = "ping6" if ":" in address else "ping"
    words = ("exec", name, "busybox", command, "-c", "1", "-W", "1", address)
    return daemon.docker(*words).returncode == 0


def address(daemon: Daemon, name: str, where: str, field: str = "IPAddress") -> str:
    form = f'{{{{(index .NetworkSettings.Networks "{where}").{field}}}}}'
    return daemon.must("inspect", "-f", form, name).strip()


@pytest.mark.parametrize("field", ["IPAddress", "GlobalIPv6Address"])
def test_networks_are_apart_and_a_connection_joins_them(alone: Daemon, field: str) -> None:
    for name in ("a", "b"):
        alone.must("network", "create", "--ipv6", name)
        run(alone, f"in-{name}", "--network", name)
    run(alone, "second", "--network", "a")
    target = address(alone, "in-b", "b", field)
    assert reaches(alone, "in-a", address(alone, "second", "a", field))
    assert not reaches(alone, "in-a", target)
    alone.must("network", "connect", "b", "in-a")
    assert reaches(alone, "in-a", target)
    alone.must("network", "disconnect", "b", "in-a")
    assert not reaches(alone, "in-a", target)


@pytest.mark.parametrize("field", ["IPAddress", "GlobalIPv6Address"])
def test_containers_may_be_kept_from_each_other(alone: Daemon, field: str) -> None:
    option = "com.docker.network.bridge.enable_icc=false"
    alone.must("network", "create", "--ipv6", "-o", option, "a")
    for name in ("one", "two"):
        run(alone, name, "--network", "a")
    assert not reaches(alone, "one", address(alone, "two", "a", field))


def test_published_ports_answer_by_both_protocols(alone: Daemon) -> None:
    alone.must("network", "create", "--ipv6", "a")
    serve = "mkdir -p /w; echo here > /w/index.html; exec busybox httpd -f -p 80 -h /w"
    words = ("--network", "a", "-p", "8081:80")
    alone.must("run", "-d", "--name", "web", *words, image(alone), "sh", "-c", serve)
    gateways = [address(alone, "web", "a", field) for field in ("Gateway", "IPv6Gateway")]
    hosts = ["127.0.0.1", "[::1]", gateways[0], f"[{gateways[1]}]"]
    for host in hosts:
        assert _page(alone, f"http://{host}:8081/") == "here\n"
    alone.must("network", "create", "--subnet", "10.96.0.0/24", "0-first")
    alone.must("network", "connect", "0-first", "web")
    alone.must("network", "disconnect", "a", "web")
    assert _page(alone, "http://127.0.0.1:8081/") == "here\n"


def _page(daemon: Daemon, url: str) -> str:
    words = ["nsenter", f"--net=/proc/{daemon.pid}/ns/net", sys.executable, "-c", GET, url]
    for _ in range(20):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout
        time.sleep(0.2)
    return done.stderr


@pytest.mark.parametrize("driver", ["macvlan", "ipvlan"])
def test_containers_on_a_link_of_ours(alone: Daemon, driver: str) -> None:
    words = ("network", "create", "-d", driver, "--subnet", "10.97.0.0/24", "m")
    done = alone.docker(*words)
    if "this kernel has no" in done.stderr:
        assert "m\n" not in alone.must("network", "ls", "--format", "{{.Name}}")
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    for name in ("one", "two"):
        run(alone, name, "--network", "m")
    assert reaches(alone, "one", address(alone, "two", "m"))
    alone.must("rm", "-f", "one", "two")
    alone.must("network", "rm", "m")
    assert "dm-" not in _links(alone)


def test_a_parent_that_is_not_there_is_refused(alone: Daemon) -> None:
    done = alone.docker("network", "create", "-d", "macvlan", "-o", "parent=nosuch0", "m")
    assert done.returncode == 1 and "nosuch0" in done.stderr
    assert "m\n" not in alone.must("network", "ls", "--format", "{{.Name}}")


def _links(daemon: Daemon) -> str:
    words = ["nsenter", f"--net=/proc/{daemon.pid}/ns/net", "ip", "-br", "link"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_a_removed_network_leaves_no_link(alone: Daemon) -> None:
    before = _links(alone)
    id = alone.must("network", "create", "a").strip()
    assert f"wh-{id[:12]}" in _links(alone)
    alone.must("network", "rm", "a")
    assert _links(alone) == before


PROJECT = """
version: "3"
services:
  web:
    image: plain
    command: sleep 1000
    networks: {default: {aliases: [www]}, back: {}}
  app:
    image: plain
    command: sleep 1000
networks:
  back: {internal: true}
"""


def test_a_project_of_docker_compose(both: Pair, tmp_path: Path) -> None:
    if shutil.which("docker-compose") is None:
        pytest.skip("needs docker-compose")
    (tmp_path / "docker-compose.yml").write_text(PROJECT)
    seen = []
    for daemon in both.both:
        before = _named(daemon)
        _compose(daemon, tmp_path, "up", "-d")
        names = _named(daemon) - before
        second = _compose(daemon, tmp_path, "up", "-d")
        _compose(daemon, tmp_path, "exec", "-T", "app", *_PING, "web")
        _compose(daemon, tmp_path, "exec", "-T", "app", *_PING, "www")
        _compose(daemon, tmp_path, "down")
        assert _named(daemon) == before
        seen.append((names, sorted(line for line in second.splitlines() if "up-to-date" in line)))
    assert seen[0] == seen[1]
    assert len(seen[1][1]) == 2


_PING = ("busybox", "ping", "-c", "1", "-W", "2")


def _named(daemon: Daemon) -> set[str]:
    return set(daemon.must("network", "ls", "--format", "{{.Name}}").split())


def _compose(daemon: Daemon, folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["docker-compose", "-p", "proj", *words],
        cwd=folder,
        env={**os.environ, "DOCKER_HOST": f"unix://{daemon.socket}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{daemon.name}: {words}: {done.stderr}"
    return done.stdout + done.stderr
