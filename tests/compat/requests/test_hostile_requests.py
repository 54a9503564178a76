"""Hostile requests, and many clients at once: no 500, no hang, nothing lost, nothing left behind.

WHERRY_TEST_HOSTILE sets how many requests there are (20000 for the long run), WHERRY_TEST_SEED
which ones, WHERRY_TEST_PER_CLIENT how many each of 50 clients sends (200 for the long run).
"""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.compat import pair
from tests.compat.asking import ask
from tests.compat.pair import Daemon
from tests.compat.requests import clients
from tests.compat.requests.generator import Generator, Request
from tests.compat.requests.sending import Outcome, send

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(pair.missing()), reason=pair.missing() or "-"),
]
COUNT = int(os.environ.get("WHERRY_TEST_HOSTILE", "1000"))
SEED = int(os.environ.get("WHERRY_TEST_SEED", "0")) or random.randrange(1, 1 << 31)
PER_CLIENT = int(os.environ.get("WHERRY_TEST_PER_CLIENT", "20"))
AT_ONCE = 4
SLACK = 3
"""Descriptors of workers that are kept for a while, and of the question itself."""


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with pair.alone() as ours:
        populate(ours)
        for path in ("/networks/prune", "/volumes/prune", "/containers/prune"):
            ask(ours, "POST", path)
        yield ours


def populate(daemon: Daemon) -> None:
    """What the names of the generator mean; those that are there stay."""
    commands = {"victim": ["sleep", "10000"], "idle": ["true"]}
    ask(daemon, "POST", "/volumes/create", {"Name": "vol"})
    ask(daemon, "POST", "/networks/create", {"Name": "net", "CheckDuplicate": True})
    for name, command in commands.items():
        body = {"Image": "plain", "Cmd": command}
        ask(daemon, "POST", f"/containers/create?name={name}", body)
    ask(daemon, "POST", "/containers/victim/start")


def test_no_request_is_too_hostile(daemon: Daemon) -> None:
    print(f"WHERRY_TEST_SEED={SEED} WHERRY_TEST_HOSTILE={COUNT}")
    empty(daemon)
    before = held(daemon)
    generator, statuses, bad = Generator(SEED), Counter[int](), list[tuple[Request, Outcome]]()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, COUNT, 100):
            populate(daemon)
            batch = [generator.request() for _ in range(min(100, COUNT - start))]
            outcomes = list(pool.map(lambda each: send(daemon.socket, each), batch))
            statuses.update(each.status for each in outcomes)
            bad += [each for each in zip(batch, outcomes, strict=True) if is_fault(each[1])]
    print("statuses:", dict(sorted(statuses.items())))
    said = (daemon.folder / "log").read_text(errors="replace")
    faults = list(tracebacks(said))
    assert (bad, faults) == ([], []), "\n".join([*map(str, bad), *faults])
    settled(daemon, before)


def tracebacks(log: str) -> Iterator[str]:
    """Those of ours; what is no HTTP at all, aiohttp answers with 400 and tells in this way."""
    for part in log.split("Traceback (most recent call last)")[1:]:
        if "aiohttp.http_exceptions." not in part:
            yield part[:3000]


def is_fault(outcome: Outcome) -> bool:
    return outcome.hang or outcome.status == 500


def empty(daemon: Daemon) -> None:
    """Nothing of the tests' is there any more."""
    for each in ask(daemon, "GET", "/containers/json?all=1").body:
        ask(daemon, "POST", f"/containers/{each['Id']}/unpause")
        answer = ask(daemon, "DELETE", f"/containers/{each['Id']}?force=1&v=1")
        assert answer.status in (204, 404, 409), answer
    for each in ask(daemon, "GET", "/networks").body:
        if each["Name"] not in ("bridge", "host", "none"):
            assert ask(daemon, "DELETE", f"/networks/{each['Id']}").status == 204, each
    for each in ask(daemon, "GET", "/volumes").body["Volumes"]:
        ask(daemon, "DELETE", f"/volumes/{each['Name']}?force=1")


def held(daemon: Daemon) -> dict[str, int]:
    """What could leak, by number."""
    folder = str(daemon.folder)
    found = Counter[str]()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace")
            mounts = (entry / "mountinfo").read_text()
        except OSError:
            continue
        found["processes"] += folder in words
        found["mounts"] += mounts.count(folder) if int(entry.name) == daemon.pid else 0
    info = ask(daemon, "GET", "/info").body
    found["tasks"] = info["NGoroutines"]
    found["descriptors"] = len(os.listdir(f"/proc/{daemon.pid}/fd"))
    for place in ("data/containers", "data/volumes", "exec/c", "data/snapshots/overlay/s"):
        path = daemon.folder / place
        found[place] = len(os.listdir(path)) if path.is_dir() else 0
    return dict(found)


def settled(daemon: Daemon, before: dict[str, int]) -> None:
    """After everything is removed, no more is held than before; checked until it is so."""
    empty(daemon)
    until = time.monotonic() + 30
    while (more := beyond(held(daemon), before)) and time.monotonic() < until:
        time.sleep(0.5)
    assert more == {}, [os.readlink(each) for each in Path(f"/proc/{daemon.pid}/fd").iterdir()]
    fsck = daemon_fsck(daemon)
    assert fsck == [], fsck


def beyond(now: dict[str, int], before: dict[str, int]) -> dict[str, tuple[int, int]]:
    slack = {"descriptors": SLACK, "tasks": 1}
    return {
        name: (before.get(name, 0), number)
        for name, number in now.items()
        if number > before.get(name, 0) + slack.get(name, 0)
    }


def daemon_fsck(daemon: Daemon) -> list[object]:
    answer = ask(daemon, "POST", "/wherry/fsck")
    assert answer.status == 200, answer
    findings: list[object] = answer.body["Findings"]
    return findings


def test_many_clients_at_once_lose_nothing(daemon: Daemon) -> None:
    empty(daemon)
    before = held(daemon)
    seconds = sorted(clients.run(daemon.socket, clients=50, requests=PER_CLIENT, seed=SEED))
    count = len(seconds)
    assert count >= 50 * PER_CLIENT
    print(f"{count} requests of 50 clients: median {seconds[count // 2] * 1000:.0f} ms, "
          f"p99 {seconds[count * 99 // 100] * 1000:.0f} ms")  # fmt: skip
    settled(daemon, before)
