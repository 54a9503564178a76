"""kill -9 of the daemon at named places and at random: afterwards all is as before or as wanted.

WHERRY_TEST_KILLS sets how many random moments there are (200 for the long run). Root tries every
place; a plain user, whose code is the same, one of each command.
"""

import http.client
import json
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.journeys.engine import PATIENCE, Engine, engine, kill_daemon, start_daemon
from wherry.testing import registry as registries

KILLS = int(os.environ.get("WHERRY_TEST_KILLS", "10"))
SLEEP = ("busybox", "sleep", "1000")
TARGET = ("inspect", "-f", "{{.State.Status}}", "target")


class Case(NamedTuple):
    """A place, the command on whose way it is, and what may be seen after the crash."""

    place: str
    command: str
    seen: tuple[str, ...]
    """A command that prints the state; it may fail, which is `absent`."""
    allowed: tuple[str, ...]
    before: tuple[str, ...] = ()
    """Commands."""
    always: bool = False
    """Also as a plain user."""


RUN = "run -d --name target --network mesh -v data:/data -p 127.0.0.1::80 busybox sleep 1000"
CREATE = RUN.replace("run -d", "create")
IMAGE = ("inspect", "-f", "whole", "made")
MEMBERS = ("inspect", "-f", "{{len .NetworkSettings.Networks}}", "target")
NETWORK = ("network", "inspect", "-f", "whole", "extra")
CASES = (
    *(Case(place, CREATE, TARGET, ("absent", "created"), always=place.startswith("create"))
      for place in ("create.before-ledger", "snapshot.add", "volume.create")),
    *(Case(place, "start target", TARGET, ("created", "running", "exited"), (CREATE,),
           always=place == "start.before-ledger")
      for place in ("start.before-launch", "start.after-create", "start.after-connect",
                    "start.before-ledger")),
    *(Case(place, "stop -t 0 target", TARGET, ("running", "exited"), (RUN,),
           always=place == "exit.before-ledger")
      for place in ("exit.before-leave", "exit.before-ledger")),
    *(Case(place, "rm -f target", TARGET, ("absent", "exited"), (RUN,),
           always=place == "remove.after-mark")
      for place in ("remove.after-mark", "snapshot.remove", "remove.before-ledger")),
    *(Case(place, "commit target made", IMAGE, ("absent", "whole"),
           (RUN, "exec target touch /changed"), always=place == "image.before-ledger")
      for place in ("content.before-rename", "content.after-rename", "snapshot.commit",
                    "image.before-ledger")),
    *(Case(place, "network connect extra target", MEMBERS, ("1", "2"),
           ("network create extra", RUN), always=place == "connect.after-join")
      for place in ("connect.before-join", "connect.after-join")),
    Case("disconnect.before-leave", "network disconnect extra target", MEMBERS, ("1", "2"),
         ("network create extra", RUN, "network connect extra target"), always=True),
    Case("network-create.after-ledger", "network create extra", NETWORK, ("absent", "whole")),
    Case("network-remove.before-ledger", "network rm extra", NETWORK, ("absent", "whole"),
         ("network create extra",)),
)  # fmt: skip
PULL = ("content.before-rename", "content.after-rename", "unpack.before-commit",
        "image.before-ledger")  # fmt: skip


@pytest.fixture(scope="module")
def host() -> Iterator[Engine]:
    with engine() as running:
        running.run("network", "create", "mesh")
        yield running
        running.run("network", "rm", "mesh")


def crash(host: Engine, place: str, words: list[str], patch: pytest.MonkeyPatch) -> None:
    """Run the command with a daemon that dies at the place; then one that does not."""
    kill_daemon(host)
    patch.setenv("WHERRY_FAILPOINTS", f"{place}=kill")
    start_daemon(host)
    try:
        attempt(host, *words)
        code = host.daemons[-1].wait(PATIENCE)
    finally:
        patch.delenv("WHERRY_FAILPOINTS")
    assert code == -signal.SIGKILL, f"{place} is not on the way of {words}"
    start_daemon(host)


def attempt(host: Engine, *words: str) -> str:
    """What a command prints; `absent` where it fails."""
    try:
        return host.out(*words)
    except AssertionError:
        return "absent"


def clean(host: Engine) -> None:
    for words in (("rm", "-fv", "target"), ("network", "rm", "extra"), ("rmi", "-f", "made"),
                  ("volume", "rm", "-f", "data")):  # fmt: skip
        attempt(host, *words)
    assert host.out("ps", "-aq") == ""


def whole(host: Engine) -> None:
    """Nothing that the engine itself finds fault with."""
    assert host.out("system", "fsck") == ""


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.command.split()[0]}-{case.place}")
def test_the_daemon_dies_at(host: Engine, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0 and not case.always:
        pytest.skip("as root only")
    try:
        for line in case.before:
            host.run(*line.split())
        crash(host, case.place, case.command.split(), monkeypatch)
        assert settled(host, *case.seen) in case.allowed
        whole(host)
        if attempt(host, *TARGET) != "absent":
            attempt(host, "start", "target")
            assert host.out("exec", "target", "echo", "alive") == "alive"
    finally:
        clean(host)
    whole(host)


def settled(host: Engine, *words: str) -> str:
    """A removal that a crash interrupted is finished after the start."""
    until = time.monotonic() + PATIENCE
    while (found := attempt(host, *words)) in ("removing", "dead") and time.monotonic() < until:
        time.sleep(0.1)
    return found


@pytest.mark.root
@pytest.mark.skipif(not registries.available(), reason="docker-registry is not installed")
def test_the_daemon_dies_in_a_pull(host: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("as root only")
    with registries.docker_registry() as registry:
        name = registry.reference("made:1")
        host.run("run", "--name", "source", "busybox", "touch", "/changed")
        host.run("commit", "source", name)
        host.run("push", name)
        host.run("rm", "source")
        for place in PULL:
            host.run("rmi", name)
            crash(host, place, ["pull", name], monkeypatch)
            assert attempt(host, "inspect", "-f", "whole", name) in ("absent", "whole")
            whole(host)
            host.run("pull", name)
            host.run("run", "--rm", name, "ls", "/changed")
        host.run("rmi", name)


class Worker(threading.Thread):
    """A client that does one thing after the other until the daemon is gone."""

    def __init__(self, host: Engine, seed: int, number: int) -> None:
        super().__init__()
        self._path = f"{host.folder}/s"
        self._chance = random.Random(seed + number)
        self._number = number
        self.there: dict[str, str] = {}
        """Containers that the engine said are there, and what it said of them last."""
        self.faults: list[str] = []
        self.unsure: set[str] = set()
        """What was asked for last, without an answer."""

    def run(self) -> None:
        try:
            while True:
                self._step()
        except (OSError, http.client.HTTPException):
            pass  # the daemon is dead, which ends this

    def _step(self) -> None:
        if len(self.there) < 3:
            name = f"w{self._number}-{self._chance.randrange(1 << 30)}"
            body = {"Image": "busybox", "Cmd": ["sleep", "1000"],
                    "HostConfig": {"NetworkMode": "mesh"}}  # fmt: skip
            return self._ask(name, "POST", f"/containers/create?name={name}", "created", body)
        name = self._chance.choice(sorted(self.there))
        action = self._chance.choice(("start", "start", "stop?t=0", "connect", "commit", "rm"))
        if action == "rm":
            return self._ask(name, "DELETE", f"/containers/{name}?force=1&v=1", "absent")
        if action == "commit":
            return self._ask("", "POST", f"/commit?container={name}&repo=made", "")
        if action == "connect":
            path = "/networks/extra/" + self._chance.choice(("connect", "disconnect"))
            return self._ask("", "POST", path, "", {"Container": name})
        return self._ask(name, "POST", f"/containers/{name}/{action}", action)

    def _ask(self, name: str, method: str, path: str, becomes: str, body: Any = None) -> None:
        connection = http.client.HTTPConnection("docker", timeout=60)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(self._path)
            connection.sock = sock
            self.unsure = {name}
            headers = {"Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status == 500:
                self.faults.append(f"{method} {path}: {text!r}")
            self.unsure = set()
        if becomes == "absent" and answer.status == 204:
            del self.there[name]
        elif becomes == "created":
            self.there[name] = becomes


def test_the_daemon_dies_at_random_moments(host: Engine) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    host.run("network", "create", "extra")
    for number in range(KILLS):
        workers = [Worker(host, seed + number, each) for each in range(3)]
        for worker in workers:
            worker.start()
        time.sleep(chance.uniform(0.05, 1.0))
        kill_daemon(host)
        for worker in workers:
            worker.join()
        assert [worker.faults for worker in workers] == [[]] * len(workers)
        start_daemon(host)
        names = set(host.out("ps", "-a", "--format", "{{.Names}}").split())
        unsure = {name for worker in workers for name in worker.unsure}
        told = {name for worker in workers for name in worker.there}
        assert told - names <= unsure, "lost"
        assert names - told <= unsure, "not removed"
        whole(host)
        if names:
            host.run("rm", "-fv", *names)
        attempt(host, "rmi", "-f", "made")
        whole(host)
    host.run("network", "rm", "extra")
