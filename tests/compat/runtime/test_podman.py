"""`podman --runtime wherry-runtime`."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import LIMITS, PROGRAM, on_terminal

RUN = ("run", "--network", "none", *LIMITS)


class Podman:
    """A podman with stores of its own."""

    def __init__(self, folder: Path) -> None:
        self.command = [
            "podman", "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--runtime",
            PROGRAM, "--cgroup-manager", "cgroupfs", "--events-backend", "none",
            "--storage-driver", "vfs", "--tmpdir", f"{folder}/tmp",
        ]  # fmt: skip

    def __call__(self, *words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self.command, *words], capture_output=True, text=True, check=False, timeout=90,
            **options,
        )  # fmt: skip

    def ok(self, *words: str, **options: Any) -> str:
        result = self(*words, **options)
        assert result.returncode == 0, f"{words}: {result.stderr}"
        return result.stdout


def _own_groups() -> list[Path]:
    """On hybrid machines podman's parent may lie below our own group of a controller."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    parts = [line.split(":", 2) for line in lines]
    return [Path(f"/sys/fs/cgroup/{names.removeprefix('name=')}{path}") for _, names, path in parts]


@pytest.fixture(scope="module")
def podman(image: Path) -> Iterator[Podman]:
    if shutil.which("podman") is None:
        pytest.skip("needs podman")
    folder = Path(tempfile.mkdtemp(prefix="wherry-podman-"))
    podman = Podman(folder)
    podman.ok("import", str(image), "box")
    yield podman
    podman("rm", "--all", "--force", "-t", "0")
    podman("rmi", "--all", "--force")
    top = Path("/sys/fs/cgroup")
    for place in (top, *(top / name for name in os.listdir(top)), *_own_groups()):
        for name in ("libpod_parent/conmon", "libpod_parent"):
            with contextlib.suppress(OSError):  # none, or another podman's containers are in it
                (place / name).rmdir()
    shutil.rmtree(folder, ignore_errors=True)


def test_run_prints_and_returns(podman: Podman) -> None:
    result = podman(*RUN, "--rm", "box", "sh", "-c", "id -u; hostname; exit 9")
    assert result.returncode == 9
    assert result.stdout.split()[0] == "0"


def test_options_take_effect(podman: Podman) -> None:
    look = "id -u; id -g; pwd; env | grep ^A=; grep NoNewPrivs /proc/self/status; touch /x"
    result = podman(*RUN, "--rm", "--user", "7:8", "-w", "/tmp", "-e", "A=b", "--read-only",
                    "--security-opt", "no-new-privileges", "box", "sh", "-c", look)  # fmt: skip
    assert result.stdout.split() == ["7", "8", "/tmp", "A=b", "NoNewPrivs:", "1"]
    assert "Read-only" in result.stderr or "denied" in result.stderr


@pytest.mark.parametrize(("name", "code"), [("nope", 127), ("/etc", 126), ("/etc/passwd", 126)])
def test_a_program_that_cannot_run(podman: Podman, name: str, code: int) -> None:
    assert podman(*RUN, "--rm", "box", name).returncode == code


def test_the_daily_work(podman: Podman) -> None:
    podman.ok(*RUN, "-d", "--name", "daily", "--pids-limit", "50", "box", "sleep", "300")
    assert "sleep 300" in podman.ok("exec", "daily", "ps")
    assert podman("exec", "daily", "sh", "-c", "exit 5").returncode == 5
    assert podman("exec", "daily", "nope").returncode == 127
    assert podman.ok("exec", "-u", "7", "daily", "id", "-u") == "7\n"
    podman.ok("pause", "daily")
    assert json.loads(podman.ok("inspect", "daily"))[0]["State"]["Status"] == "paused"
    podman.ok("unpause", "daily")
    assert "sleep" in podman.ok("top", "daily")
    podman.ok("stop", "-t", "0", "daily")
    assert json.loads(podman.ok("inspect", "daily"))[0]["State"]["ExitCode"] == 137
    podman.ok("start", "daily")
    podman.ok("kill", "daily")
    podman.ok("wait", "daily")
    podman.ok("rm", "daily")


def test_terminals(podman: Podman) -> None:
    """podman loses what a program says in its last moment, with runc too."""
    command = [*podman.command, *RUN, "-it", "--rm", "box", "sh", "-c", "tty; sleep 0.5; exit 4"]
    shown = on_terminal(command)
    assert "/dev/pts/0" in shown
    assert shown.endswith("[4]")


def test_logs(podman: Podman) -> None:
    podman.ok(*RUN, "-d", "--name", "logs", "box", "sh", "-c", "echo out; echo err >&2")
    podman.ok("wait", "logs")
    result = podman("logs", "logs")
    assert (result.stdout, result.stderr) == ("out\n", "err\n")
    podman.ok("rm", "logs")


def test_a_pod_shares_namespaces(podman: Podman) -> None:
    podman.ok(*RUN, "-d", "--name", "first", "box", "sleep", "300")
    look = "ps; readlink /proc/self/ns/net"
    text = podman.ok("run", *LIMITS, "--rm", "--network", "container:first", "--pid",
                     "container:first", "box", "sh", "-c", look)  # fmt: skip
    assert "sleep 300" in text
    podman.ok("rm", "-f", "-t", "0", "first")


def test_a_user_namespace(podman: Podman) -> None:
    text = podman.ok(*RUN, "--rm", "--uidmap", "0:100000:5000", "--gidmap", "0:100000:5000", "box",
                     "sh", "-c", "id -u; cat /proc/self/uid_map")  # fmt: skip
    assert text.split() == ["0", "0", "100000", "5000"]
