"""Health checks on dockerd and on ours: states, words, results, events."""

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.compat.pair import VERSION, Daemon, Pair, missing

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]
NAME = "checked"
PATIENCE = 30.0
QUICK = ("--health-interval", "200ms", "--health-retries", "2", "--health-timeout", "5s")
TOGGLED = "echo out; if test -e /tmp/bad; then exit 3; fi"


def both(daemons: Pair, look: Callable[[Daemon], Any]) -> None:
    """The same look at both gives the same."""
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(look, daemons.both)
    assert ours == theirs


@pytest.fixture(autouse=True)
def removed(daemons: Pair) -> Iterator[None]:
    yield
    for daemon in daemons.both:
        daemon.docker("rm", "-f", NAME)


def run(daemon: Daemon, *flags: str, image: str = "plain") -> None:
    daemon.must("run", "-d", "--pull", "never", "--name", NAME, *flags, image)


def health(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(daemon.must("inspect", "-f", "{{json .State.Health}}", NAME))
    return found


def until(daemon: Daemon, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    ends = time.monotonic() + PATIENCE
    while not holds(found := health(daemon)):
        assert time.monotonic() < ends, f"{daemon.name}: {found}"
        time.sleep(0.05)
    return found


def status(daemon: Daemon) -> str:
    text = daemon.must("ps", "-a", "--filter", f"name={NAME}", "--format", "{{.Status}}").strip()
    return text[text.find("(") :]


def test_from_starting_to_healthy_to_unhealthy_and_back(daemons: Pair) -> None:
    def story(daemon: Daemon) -> list[object]:
        run(daemon, "--health-cmd", TOGGLED, *QUICK)
        seen: list[object] = []
        for change in (None, "touch /tmp/bad", "rm /tmp/bad"):
            if change:
                daemon.must("exec", NAME, "sh", "-c", change)
            wanted = "unhealthy" if change == "touch /tmp/bad" else "healthy"
            found = until(daemon, lambda each, wanted=wanted: each["Status"] == wanted)
            last = found["Log"][-1]
            seen += [last["ExitCode"], last["Output"], status(daemon)]
            ids = daemon.must("ps", "-q", "--filter", f"health={wanted}")
            seen.append(len(ids.split()))
        return seen

    both(daemons, story)


def test_before_the_first_check(daemons: Pair) -> None:
    def look(daemon: Daemon) -> list[object]:
        run(daemon, "--health-cmd", "true", "--health-interval", "1h")
        return [health(daemon), status(daemon)]

    both(daemons, look)


def test_the_events_of_a_check(daemons: Pair) -> None:
    def look(daemon: Daemon) -> list[str]:
        since = repr(time.time())
        run(daemon, "--health-cmd", "true", *QUICK)
        watch = ("events", "--since", since, "--filter", f"container={NAME}")
        until(daemon, lambda each: each["Status"] == "healthy")
        daemon.must("rm", "-f", NAME)
        found = daemon.must(*watch, "--until", repr(time.time()), "--format", "{{.Action}}")
        return [line for line in found.splitlines() if not line.startswith("exec")]

    both(daemons, look)


def test_the_execs_of_a_check_are_told_to_listeners(daemons: Pair) -> None:
    def look(daemon: Daemon) -> list[str]:
        run(daemon, "--health-cmd", "true", *QUICK)
        now = time.time()
        found = daemon.must(
            "events", "--since", repr(now), "--until", repr(now + 2),
            "--filter", f"container={NAME}",
            "--format", "{{.Action}} {{.Actor.Attributes.exitCode}}",
        ).splitlines()  # fmt: skip
        return sorted(set(found))

    both(daemons, look)


def test_a_program_that_is_not_there(daemons: Pair) -> None:
    body = {"Test": ["CMD", "nosuch", "word"], "Interval": 200_000_000, "Retries": 1}

    def look(daemon: Daemon) -> tuple[int, str]:
        create(daemon, {"Image": "plain", "Healthcheck": body})
        found = until(daemon, lambda each: each["Status"] == "unhealthy")
        last = found["Log"][-1]
        text = last["Output"].replace("unable to start container process: ", "")
        return last["ExitCode"], text.removesuffix(": unknown")

    both(daemons, look)


def create(daemon: Daemon, body: dict[str, Any]) -> None:
    """What the command line cannot say."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(daemon.socket)
        connection = http.client.HTTPConnection("docker")
        connection.sock = sock
        kind = {"Content-Type": "application/json"}
        path = f"/v{VERSION}/containers/create?name={NAME}"
        connection.request("POST", path, json.dumps(body), kind)
        response = connection.getresponse()
        assert response.status == 201, response.read()
    daemon.must("start", NAME)


def test_a_check_that_takes_too_long_is_ended(daemons: Pair) -> None:
    def look(daemon: Daemon) -> tuple[int, str, str]:
        run(daemon, "--health-cmd", "sleep 77", "--health-interval", "200ms",
            "--health-retries", "1", "--health-timeout", "300ms")  # fmt: skip
        found = until(daemon, lambda each: each["Status"] == "unhealthy")
        last = found["Log"][-1]
        return last["ExitCode"], last["Output"], status(daemon)

    both(daemons, look)


def test_long_output_is_cut_at_the_same_place(daemons: Pair) -> None:
    def look(daemon: Daemon) -> str:
        run(daemon, "--health-cmd", "head -c 9000 /dev/zero | tr '\\0' x", *QUICK)
        output: str = until(daemon, lambda each: bool(each["Log"]))["Log"][-1]["Output"]
        return output

    both(daemons, look)


def test_what_has_ended_is_not_checked_and_unhealthy(daemons: Pair) -> None:
    def look(daemon: Daemon) -> list[object]:
        run(daemon, "--health-cmd", "true", *QUICK)
        until(daemon, lambda each: each["Status"] == "healthy")
        daemon.must("pause", NAME)
        seen: list[object] = [health(daemon)["Status"], status(daemon)]
        daemon.must("unpause", NAME)
        until(daemon, lambda each: each["Status"] == "healthy")
        daemon.must("stop", "-t", "0", NAME)
        seen.append(health(daemon)["Status"])
        daemon.must("start", NAME)
        return [*seen, health(daemon)["FailingStreak"], len(health(daemon)["Log"]) > 0]

    both(daemons, look)


@pytest.mark.parametrize("flags", [("--no-healthcheck",), ("--health-interval", "5s"), ()])
def test_without_a_command_there_is_no_health(daemons: Pair, flags: tuple[str, ...]) -> None:
    def look(daemon: Daemon) -> list[object]:
        run(daemon, *flags)
        ids = daemon.must("ps", "-q", "--filter", "health=none", "--filter", f"name={NAME}")
        return [health(daemon), status(daemon), len(ids.split())]

    both(daemons, look)


def test_a_health_filter_that_is_none(daemons: Pair) -> None:
    both(daemons, lambda daemon: daemon.docker("ps", "--filter", "health=foo").stderr)
