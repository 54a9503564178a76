"""Health checks and restart policies, through crashes of the daemon."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.journeys.engine import Engine, end_daemon, engine, kill_daemon, start_daemon

PATIENCE = 40.0
QUICK = ("--health-interval", "200ms", "--health-retries", "2")


@pytest.fixture(scope="module")
def shared() -> Iterator[Engine]:
    with engine() as made:
        yield made


@pytest.fixture
def here(shared: Engine) -> Iterator[Engine]:
    yield shared
    names = shared.out("ps", "-aq").split()
    if names:
        shared.run("rm", "-f", *names)


def inspect(here: Engine, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(here.out("inspect", name))[0]
    return found


def until(here: Engine, name: str, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    ends = time.monotonic() + PATIENCE
    while not holds(found := inspect(here, name)):
        assert time.monotonic() < ends, found["State"]
        time.sleep(0.05)
    return found


def health(status: str) -> Callable[[dict[str, Any]], object]:
    return lambda found: found["State"]["Health"]["Status"] == status


def test_a_check_goes_on_after_the_daemon_is_killed(here: Engine) -> None:
    here.run("run", "-d", "--name", "box", "--health-cmd", "test ! -e /tmp/bad", *QUICK, "busybox",
             "sleep", "1000")  # fmt: skip
    until(here, "box", health("healthy"))
    kill_daemon(here)
    start_daemon(here)
    assert inspect(here, "box")["State"]["Health"]["Status"] == "healthy"
    here.run("exec", "box", "touch", "/tmp/bad")
    assert until(here, "box", health("unhealthy"))["State"]["Health"]["FailingStreak"] >= 2


def test_on_unhealthy_restarts_until_it_is_healthy(here: Engine) -> None:
    """The first two runs are unhealthy: the file system tells how often it was started."""
    program = "echo x >>/tmp/starts; trap exit TERM; while :; do sleep 0.1; done"
    here.run("run", "-d", "--name", "box", "--restart", "on-unhealthy:5", *QUICK,
             "--health-cmd", "test $(cat /tmp/starts | grep -c x) -ge 3",
             "busybox", "sh", "-c", program)  # fmt: skip
    found = until(here, "box", health("healthy"))
    assert found["RestartCount"] == 2
    assert found["HostConfig"]["RestartPolicy"] == {
        "Name": "on-unhealthy", "MaximumRetryCount": 5,
    }  # fmt: skip


def test_on_unhealthy_gives_up_after_as_many_in_a_row(here: Engine) -> None:
    here.run("run", "-d", "--name", "box", "--restart", "on-unhealthy:2", *QUICK,
             "--health-cmd", "false", "--stop-timeout", "0",
             "busybox", "sleep", "1000")  # fmt: skip
    until(here, "box", lambda found: found["RestartCount"] == 2)
    last = until(here, "box", health("unhealthy"))
    streak = last["State"]["Health"]["FailingStreak"]
    grown = until(here, "box", lambda found: found["State"]["Health"]["FailingStreak"] > streak + 2)
    assert grown["State"]["StartedAt"] == last["State"]["StartedAt"]
    assert grown["RestartCount"] == 2


def test_restarts_count_and_a_stop_ends_them(here: Engine) -> None:
    here.run("run", "-d", "--name", "box", "--restart", "always", "busybox", "true")
    until(here, "box", lambda found: found["RestartCount"] >= 2)
    here.run("stop", "box")
    stopped = inspect(here, "box")
    assert not stopped["State"]["Running"]
    here.run("start", "box")
    assert inspect(here, "box")["RestartCount"] < stopped["RestartCount"]


def test_on_failure_gives_up(here: Engine) -> None:
    here.run("run", "-d", "--name", "box", "--restart", "on-failure:2", "busybox", "sh", "-c",
             "exit 3")  # fmt: skip
    until(here, "box", lambda found: found["State"]["Status"] == "exited")
    found = inspect(here, "box")
    assert (found["RestartCount"], found["State"]["ExitCode"]) == (2, 3)


def test_what_a_new_daemon_starts(here: Engine) -> None:
    for policy in ("no", "always", "unless-stopped"):
        for ended in ("stopped", "killed"):
            here.run("run", "-d", "--name", f"{policy}-{ended}", "--restart", policy, "busybox",
                     "sleep", "1000")  # fmt: skip
            if ended == "stopped":
                here.run("stop", "-t", "0", f"{policy}-{ended}")
    names = ("no-killed", "always-killed", "unless-stopped-killed")
    inits = [inspect(here, name)["State"]["Pid"] for name in names]
    kill_daemon(here)
    for pid in inits:
        os.kill(pid, signal.SIGKILL)
    start_daemon(here)
    running = here.out("ps", "--format", "{{.Names}}").split()
    assert sorted(running) == ["always-killed", "always-stopped", "unless-stopped-killed"]


def test_a_check_that_a_killed_daemon_left_is_ended(here: Engine) -> None:
    here.run("run", "-d", "--name", "box", *QUICK, "--health-timeout", "1h", "--health-cmd",
             "touch /begun; exec sleep 4321", "busybox", "sleep", "1000")  # fmt: skip
    until(here, "box", lambda _: "4321" in here.out("top", "box"))
    left = pids_of(here, "sleep 4321")
    kill_daemon(here)
    start_daemon(here)
    until(here, "box", lambda _: not set(left) & set(pids_of(here, "sleep 4321")))


def pids_of(here: Engine, command: str) -> list[str]:
    """The host's numbers of a container's processes of this command line."""
    lines = here.out("top", "box", "-eo", "pid,args").splitlines()[1:]
    return [line.split()[0] for line in lines if command in line]


def test_a_removal_that_was_to_come_is_made_up_for(here: Engine) -> None:
    here.run("run", "-d", "--rm", "--name", "box", "busybox", "sleep", "0.5")
    kill_daemon(here)
    time.sleep(1)
    start_daemon(here)
    assert here.out("ps", "-aq") == ""


def test_the_daemon_ends_in_the_midst_of_a_restart(here: Engine) -> None:
    here.run("run", "-d", "--name", "box", "--restart", "unless-stopped", "busybox", "sh", "-c",
             "exit 1")  # fmt: skip
    until(here, "box", lambda found: found["RestartCount"] >= 3)
    end_daemon(here)
    start_daemon(here)
    before = inspect(here, "box")["RestartCount"]
    until(here, "box", lambda found: found["RestartCount"] > before)
