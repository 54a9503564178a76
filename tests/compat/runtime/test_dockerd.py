"""`dockerd --add-runtime`: the same container by runc and by us looks the same from inside."""

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import PROGRAM, on_terminal

RUNTIMES = ("runc", "wherry")


class Docker:
    """A docker CLI on a dockerd of its own."""

    def __init__(self, folder: Path) -> None:
        self.command = ["docker", "-H", f"unix://{folder}/docker.sock"]

    def __call__(self, *words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self.command, *words], capture_output=True, text=True, check=False, timeout=90,
            **options,
        )  # fmt: skip

    def ok(self, *words: str, **options: Any) -> str:
        result = self(*words, **options)
        assert result.returncode == 0, f"{words}: {result.stderr}"
        return result.stdout

    def run(self, runtime: str, *words: str) -> "subprocess.CompletedProcess[str]":
        return self("run", "--rm", "--runtime", runtime, "--network", "none", *words)


@pytest.fixture(scope="module")
def docker(image: Path) -> Iterator[Docker]:
    if shutil.which("dockerd") is None or shutil.which("docker") is None:
        pytest.skip("needs docker.io")
    folder = Path(tempfile.mkdtemp(prefix="wherry-dockerd-"))
    log = open(folder / "log", "w")  # noqa: SIM115 (open as long as the daemon runs)
    daemon = subprocess.Popen(
        ["dockerd", "-H", f"unix://{folder}/docker.sock", "--data-root", f"{folder}/data",
         "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid", "--bridge", "none",
         "--iptables=false", "--storage-driver", "vfs", "--add-runtime", f"wherry={PROGRAM}"],
        stdout=log, stderr=log,
    )  # fmt: skip
    docker = Docker(folder)
    deadline = time.monotonic() + 30
    while docker("version").returncode:
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.1)
    docker.ok("import", str(image), "box")
    yield docker
    names = docker("ps", "-aq").stdout.split()
    if names:
        docker("rm", "-f", *names)
    daemon.terminate()
    daemon.wait(30)
    log.close()
    shutil.rmtree(folder, ignore_errors=True)


LOOK = (
    "cat /proc/self/status | grep -E '^(Uid|Gid|Groups|Cap|NoNew|Seccomp:|Sig|Umask)';"
    "cat /proc/self/limits /proc/self/oom_score_adj /proc/self/cgroup | sed 's/[0-9a-f]\\{64\\}//';"
    "cat /proc/self/mountinfo | cut -d' ' -f5 | sort; stat -c '%A %u:%g %t:%T %N' /dev/*;"
    "env | sort"
)
_VARYING = ("SigQ", "0::", "HOSTNAME=")
"""Lines that differ for good reasons: on hybrid machines we leave the v2 tree alone where no limit
needs it, and a name that is not given is the container's id."""
OPTIONS: tuple[tuple[str, ...], ...] = (
    (),
    ("--cap-drop", "all", "--cap-add", "chown"),
    ("-u", "7:8", "--group-add", "9"),
    ("--security-opt", "no-new-privileges", "--read-only"),
    ("--security-opt", "seccomp=unconfined", "--oom-score-adj", "300"),
    ("-m", "64m", "--cpus", "0.5", "--pids-limit", "60"),
    ("--ulimit", "nofile=100:200", "--ulimit", "core=0"),
    ("--tmpfs", "/data:size=1m,mode=1770", "--shm-size", "2m"),
    ("--ipc", "host", "--uts", "host"),
    ("--pid", "host"),
    ("--cgroupns", "private"),
    ("--device", "/dev/fuse:/dev/given:rw"),
    ("--sysctl", "net.ipv4.ip_forward=1", "--sysctl", "kernel.shmmax=1000000"),
)


def _view(docker: Docker, runtime: str, options: tuple[str, ...]) -> list[str]:
    named = () if "--uts" in options else ("--hostname", "h")
    result = docker.run(runtime, *named, *options, "box", "sh", "-c", LOOK)
    assert result.returncode == 0, result.stderr
    return [line for line in result.stdout.splitlines() if not line.startswith(_VARYING)]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_the_view_from_inside_is_runcs(docker: Docker, options: tuple[str, ...]) -> None:
    first, second = (_view(docker, runtime, options) for runtime in RUNTIMES)
    assert first == second


@pytest.mark.parametrize("name", ["nope", "/no/such", "/etc/passwd", "/etc"])
def test_the_same_exit_code_and_words(docker: Docker, name: str) -> None:
    first, second = (docker.run(runtime, "box", name) for runtime in RUNTIMES)
    assert first.returncode == second.returncode
    assert second.stderr.split("exec: ")[1] == first.stderr.split("exec: ")[1]


def test_the_daily_work(docker: Docker) -> None:
    docker.ok("run", "-d", "--runtime", "wherry", "--network", "none", "--name", "daily", "box",
              "sleep", "300")  # fmt: skip
    assert "sleep 300" in docker.ok("exec", "daily", "ps")
    assert docker("exec", "daily", "sh", "-c", "exit 5").returncode == 5
    assert docker.ok("exec", "-u", "7", "-w", "/tmp", "-e", "A=b", "daily", "sh", "-c",
                     "id -u; pwd; echo $A").split() == ["7", "/tmp", "b"]  # fmt: skip
    docker.ok("pause", "daily")
    assert json.loads(docker.ok("inspect", "daily"))[0]["State"]["Paused"]
    docker.ok("unpause", "daily")
    docker.ok("update", "--memory", "64m", "--memory-swap", "64m", "daily")
    assert "64MiB" in docker.ok("stats", "--no-stream", "daily")
    assert "sleep" in docker.ok("top", "daily")
    docker.ok("restart", "-t", "0", "daily")
    docker.ok("stop", "-t", "0", "daily")
    docker.ok("rm", "daily")


def test_terminals(docker: Docker) -> None:
    command = ["run", "-it", "--rm", "--runtime", "wherry", "--network", "none", "box", "sh", "-c"]
    shown = on_terminal([*docker.command, *command, "tty; ls -l /dev/console; exit 4"])
    assert "/dev/pts/0" in shown or "/dev/console" in shown
    assert shown.endswith("[4]")
