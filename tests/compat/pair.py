"""dockerd 20.10 and our daemon side by side, with the same images, each in its own network.

Each lives in a network namespace of its own, so that both call their bridge's subnet
172.17.0.0/16 and neither meets the machine's. The same real command line talks to both, at the
same API version.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.compat import probe_image

VERSION = "1.41"
TIMEOUT = 30.0
IN_OWN_NETWORK = ("unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "-")
OURS = "import sys; from wherry.daemon.main import run; sys.exit(run(sys.argv[1:]))"


class Daemon(NamedTuple):
    """One running daemon. `pid` is its process, in whose network namespace its bridge is."""

    name: str
    folder: Path
    pid: int
    bridge: str

    @property
    def socket(self) -> str:
        return f"{self.folder}/s"

    @property
    def root(self) -> str:
        return f"{self.folder}/data"

    def docker(self, *words: str, text: str = "") -> "subprocess.CompletedProcess[str]":
        """Run the real command line; any exit code."""
        environment = {**os.environ, "DOCKER_API_VERSION": VERSION}
        return subprocess.run(
            ["docker", "-H", f"unix://{self.socket}", *words],
            env=environment, input=text, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def must(self, *words: str) -> str:
        """The output of a command that has to succeed."""
        done = self.docker(*words)
        assert done.returncode == 0, f"{self.name}: docker {words}: {done.stderr}"
        return done.stdout


class Pair(NamedTuple):
    """Both of them, and a folder that both see."""

    dockerd: Daemon
    wherry: Daemon
    shared: Path

    @property
    def both(self) -> tuple[Daemon, Daemon]:
        return self.dockerd, self.wherry


def missing() -> str:
    """Why the pair cannot run here; empty where it can."""
    if os.geteuid() != 0:
        return "needs root"
    programs = ("docker", "dockerd", "unshare", "ip", "busybox", "sh")
    absent = [name for name in programs if shutil.which(name) is None]
    return f"needs {', '.join(absent)}" if absent else ""


@contextlib.contextmanager
def running() -> Iterator[Pair]:
    """Both daemons with the images of `probe_image`, until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="pair-", ignore_cleanup_errors=True) as name:
        shared = Path(name) / "shared"
        shared.mkdir()
        with _dockerd(Path(name) / "d") as dockerd, _wherry(Path(name) / "w") as wherry:
            probe_image.make(dockerd, wherry, shared)
            yield Pair(dockerd, wherry, shared)


@contextlib.contextmanager
def alone(root: str = "") -> Iterator[Daemon]:
    """Only ours, with the image `plain`; its root in another folder where one is named."""
    temporary = tempfile.TemporaryDirectory(prefix="alone-", ignore_cleanup_errors=True)
    with temporary as name, _wherry(Path(name) / "w", root) as daemon:
        (Path(name) / "probe.tar").write_bytes(probe_image.archive())
        daemon.must("import", "-c", f"ENV {probe_image.PATH}", f"{name}/probe.tar", "plain")
        yield daemon


@contextlib.contextmanager
def _dockerd(folder: Path) -> Iterator[Daemon]:
    command = [
        "dockerd", "-H", f"unix://{folder}/s", "--data-root", f"{folder}/data",
        "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid",
    ]  # fmt: skip
    try:
        with _daemon("dockerd", folder, command, "docker0") as daemon:
            yield daemon
    finally:  # it leaves its data folder mounted on itself, and the host's network pinned
        for place in (f"{folder}/exec/netns/default", f"{folder}/data"):
            subprocess.run(["umount", "-R", place], capture_output=True, check=False)


@contextlib.contextmanager
def _wherry(folder: Path, root: str = "") -> Iterator[Daemon]:
    command = [
        sys.executable, "-c", OURS, "-H", f"unix://{folder}/s", "--root", root or f"{folder}/data",
        "--exec-root", f"{folder}/exec", "-D",
    ]  # fmt: skip
    with _daemon("wherry", folder, command, "wherry0") as daemon:
        yield daemon


@contextlib.contextmanager
def _daemon(name: str, folder: Path, command: list[str], bridge: str) -> Iterator[Daemon]:
    folder.mkdir()
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([*IN_OWN_NETWORK, *command], stdout=log, stderr=log)
    daemon = Daemon(name, folder, process.pid, bridge)
    try:
        _await(daemon, process)
        yield daemon
    finally:
        if process.poll() is None:
            _remove_all(daemon)
        process.send_signal(signal.SIGTERM)
        process.wait(TIMEOUT)


def _await(daemon: Daemon, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until and process.poll() is None:
        if daemon.docker("version").returncode == 0:
            return
        time.sleep(0.1)
    log = (daemon.folder / "log").read_text()
    raise AssertionError(f"{daemon.name} did not come up: {log[-2000:]}")


def _remove_all(daemon: Daemon) -> None:
    left = daemon.docker("ps", "-aq").stdout.split()
    if left:
        daemon.docker("rm", "-fv", *left)
