"""Volumes that stand for a mount, through a crash of the engine."""

import json
import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.journeys.engine import Engine, engine, kill_daemon, start_daemon
from wherry.linux import mountinfo


@pytest.fixture
def host() -> Iterator[Engine]:
    with engine() as running:
        yield running


def mounted(host: Engine) -> list[str]:
    """Names of the volumes that are mounted where the engine lives."""
    keeper = host.folder / "x/keeper.json"
    pid = json.loads(keeper.read_text())["pid"] if keeper.exists() else host.daemons[-1].pid
    volumes = f"{host.folder}/root/volumes/"
    targets = [each.target for each in mountinfo.read(pid)]
    return sorted(each.split("/")[-2] for each in targets if each.startswith(volumes))


def until(host: Engine, wanted: list[str]) -> None:
    ends = time.monotonic() + 20
    while mounted(host) != wanted and time.monotonic() < ends:
        time.sleep(0.05)
    assert mounted(host) == wanted


def test_the_engine_is_killed_and_comes_back(host: Engine) -> None:
    """Mounts of what still runs are kept, the others are taken away."""
    for name in ("kept", "left"):
        host.out("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", name)
        host.out("run", "-d", "--name", name, "-v", f"{name}:/m", "busybox", "sleep", "600")
    host.out("exec", "kept", "sh", "-c", "echo here > /m/file")
    assert mounted(host) == ["kept", "left"]
    pid = json.loads(host.out("inspect", "left"))[0]["State"]["Pid"]
    kill_daemon(host)
    os.kill(pid, signal.SIGKILL)
    start_daemon(host)
    until(host, ["kept"])
    assert host.out("run", "--rm", "-v", "kept:/m", "busybox", "cat", "/m/file") == "here"
    host.out("rm", "-f", "kept", "left")
    until(host, [])


def test_the_volume_commands(host: Engine) -> None:
    host.out("volume", "create", "--label", "a=b", "data")
    assert host.out("volume", "ls", "-q", "--filter", "label=a=b") == "data"
    assert host.out("volume", "inspect", "-f", "{{.Name}} {{.Driver}}", "data") == "data local"
    nameless = host.out("volume", "create")
    said = host.out("volume", "prune", "--dry-run")
    assert said.startswith(f"Would be deleted:\n{nameless}\n")
    assert "Total reclaimable space: 0B" in said
    assert len(host.out("volume", "ls", "-q").splitlines()) == 2
    assert nameless in host.out("volume", "prune", "-f")
    host.out("run", "-d", "--name", "user", "-v", "data:/m", "busybox", "sleep", "600")
    assert "volume is in use" in host.run("volume", "rm", "data", code=1).stderr
    host.out("rm", "-f", "user")
    assert host.out("volume", "rm", "data") == "data"


def test_fsck_finds_what_does_not_fit(host: Engine) -> None:
    host.out("run", "-d", "--name", "user", "-v", "data:/m", "busybox", "sleep", "600")
    assert host.out("system", "fsck") == ""
    stray = host.folder / "root/containers" / ("f" * 64)
    stray.mkdir()
    assert str(stray) in host.run("system", "fsck", code=1).stdout
    assert "(repaired)" in host.out("system", "fsck", "--repair")
    assert not stray.exists()
    assert host.out("system", "fsck") == ""
    blobs = host.folder / "root/content/blobs/sha256"
    blob = max(blobs.iterdir(), key=lambda each: each.stat().st_size)
    blob.rename(blob.with_suffix(".away"))
    assert "is missing: pull it again" in host.run("system", "fsck", code=1).stdout
    blob.with_suffix(".away").rename(blob)
    assert host.out("system", "fsck") == ""
