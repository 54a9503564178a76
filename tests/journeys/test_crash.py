"""kill -9 of the engine's processes at random moments: nothing that ran or was said is lost."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.engine import Engine, engine, kill_daemon, start_daemon
from tests.journeys.ports import free_port, page_of

NONE = ("--network", "none")
LINES = 400
COUNT = "i=0; while [ $i -lt {n} ]; do echo line $i; i=$((i+1)); sleep 0.01; done; exit {code}"
EXPECTED = "".join(f"line {number}\n" for number in range(LINES))


@pytest.fixture(scope="module")
def host() -> Iterator[Engine]:
    with engine() as running:
        yield running


@pytest.fixture
def chance() -> random.Random:
    """Other moments each time; pytest shows the seed where a test fails."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)


def count(host: Engine, name: str, code: int, lines: int = LINES) -> None:
    script = COUNT.format(n=lines, code=code)
    host.run("run", "-d", "--name", name, *NONE, "busybox", "sh", "-c", script)


def monitor_of(host: Engine, name: str) -> int:
    id = host.out("inspect", "-f", "{{.Id}}", name)
    for record in Path(f"{host.folder}/x/c").glob("*/monitor.json"):
        fields = json.loads(record.read_text())
        if fields["request"]["container_id"] == id:
            return int(fields["monitor"]["pid"])
    raise AssertionError(f"no monitor of {name}")


def named(host: Engine, comm: str) -> list[int]:
    """This engine's processes of a name (the kernel keeps 15 bytes)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "comm").read_text().strip() != comm:
                continue
            words = (entry / "cmdline").read_bytes()
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == host.daemons[-1].pid or str(host.folder).encode() in words:
            found.append(int(entry.name))
    return found


def ends_with(host: Engine, name: str, code: int) -> None:
    assert host.out("wait", name) == str(code)
    assert host.run("logs", name).stdout == EXPECTED
    host.run("rm", name)


@pytest.mark.parametrize("with_zygote", [False, True], ids=["daemon", "daemon and zygote"])
def test_the_daemon_dies_while_containers_log(
    host: Engine, chance: random.Random, with_zygote: bool
) -> None:
    codes = {f"count{number}": 10 + number for number in range(3)}
    for name, code in codes.items():
        count(host, name, code)
    follower = [*host.client, "logs", "-f", "count0"]
    for _ in range(3):
        with subprocess.Popen(follower, env=host.environment, stdout=subprocess.PIPE) as client:
            time.sleep(chance.uniform(0.1, 0.8))
            victims = named(host, "wherry-zygote") if with_zygote else []
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
            kill_daemon(host)
            assert client.stdout is not None
            said = client.stdout.read().decode()
        assert EXPECTED.startswith(said)
        start_daemon(host)
    done = host.run("logs", "-f", "count0")
    assert done.stdout == EXPECTED
    for name, code in codes.items():
        ends_with(host, name, code)


def test_a_container_ends_while_there_is_no_daemon(host: Engine) -> None:
    count(host, "short", 21, lines=LINES)
    kill_daemon(host)
    time.sleep(LINES * 0.01 + 6)
    start_daemon(host)
    assert host.out("inspect", "-f", "{{.State.Status}}", "short") == "exited"
    ends_with(host, "short", 21)


def test_the_daemon_dies_while_containers_are_made(host: Engine, chance: random.Random) -> None:
    """What the client was told of is there; what it was not told of is whole or not there."""
    for number in range(8):
        name = f"made{number}"
        words = [*host.client, "run", "-d", "--name", name, *NONE, "busybox", "sleep", "1000"]
        with subprocess.Popen(
            words, env=host.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as client:
            time.sleep(chance.uniform(0.05, 0.5))
            kill_daemon(host)
            told = client.communicate(timeout=30)[0].decode().strip()
        start_daemon(host)
        there = host.out("ps", "-aq", "--no-trunc", "-f", f"name={name}")
        if client.returncode == 0:
            assert there == told
            assert host.out("exec", name, "echo", "alive") == "alive"
        if there:
            assert host.out("inspect", "-f", "{{.State.Status}}", name) in (
                "created", "running", "exited",
            )  # fmt: skip
            host.run("start", name)
            host.run("rm", "-f", name)
    assert host.out("ps", "-aq") == ""


def test_the_zygote_dies(host: Engine) -> None:
    count(host, "before", 3)
    for pid in named(host, "wherry-zygote"):
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    count(host, "after", 4)
    ends_with(host, "before", 3)
    ends_with(host, "after", 4)


def test_a_monitor_dies_and_its_container_with_it(host: Engine, chance: random.Random) -> None:
    count(host, "orphan", 5)
    count(host, "other", 6)
    init = int(host.out("inspect", "-f", "{{.State.Pid}}", "orphan"))
    time.sleep(chance.uniform(0.2, 1))
    os.kill(monitor_of(host, "orphan"), signal.SIGKILL)
    assert host.out("wait", "orphan") == "137"
    assert not os.path.exists(f"/proc/{init}/cwd") or not os.path.islink(f"/proc/{init}/cwd")
    assert EXPECTED.startswith(host.run("logs", "orphan").stdout)
    host.run("start", "orphan")
    assert host.out("wait", "orphan") == "5"
    host.run("rm", "orphan")
    ends_with(host, "other", 6)


def test_the_network_process_dies(host: Engine) -> None:
    port = free_port()
    page = "mkdir /w; echo page >/w/index.html; exec busybox httpd -f -p 80 -h /w"
    publish = ("-p", f"127.0.0.1:{port}:80")
    host.run("run", "-d", "--name", "web", *publish, "busybox", "sh", "-c", page)
    reached(port)
    killed = named(host, "wherry-net")
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    reached(port)
    host.run("rm", "-f", "web")


def reached(port: int) -> None:
    """The page comes, within a few seconds."""
    until = time.monotonic() + 15
    while (said := page_of(port)) != b"page\n":
        assert time.monotonic() < until, said
        time.sleep(0.2)
