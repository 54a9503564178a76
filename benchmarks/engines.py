"""The two engines under measurement: Debian's dockerd and wherry, each in folders of its own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from http_api import Api

PATIENCE = 60.0


class Engine:
    """A running daemon."""

    def __init__(self, name: str, command: list[str], folder: str, socket: str) -> None:
        self.name = name
        self.folder = folder
        self.socket = socket
        self._log = open(f"{folder}/log", "wb")  # noqa: SIM115 - closed in stop
        self.process = subprocess.Popen(
            command, stdout=self._log, stderr=self._log, start_new_session=True
        )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                Api(self.socket).call("GET", "/_ping")
                return
            except (OSError, RuntimeError):
                time.sleep(0.1)
        raise SystemExit(f"{self.name} did not start: see {self.folder}/log")

    def api(self) -> Api:
        """A new connection."""
        return Api(self.socket)

    def processes(self) -> set[int]:
        """All processes of the engine: those whose command line names its folder, and theirs."""
        found = {self.process.pid}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and self.folder.encode() in _read(entry / "cmdline"):
                found.add(int(entry.name))
        return found | set(_descendants(found))

    def pss(self) -> int:
        """Proportional set size of all its processes, bytes."""
        return sum(pss_of(pid) for pid in self.processes())

    def stop(self) -> None:
        """End it, and remove its folder."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _descendants(parents: set[int]) -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _read(entry / "stat").rpartition(b")")[2].split()
            if len(fields) > 1:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    pending = list(parents)
    while pending:
        for child in children.get(pending.pop(), []):
            yield child
            pending.append(child)


def pss_of(pid: int) -> int:
    """Bytes; 0 for a process that is gone (proc(5), smaps_rollup)."""
    for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def cpu_of(pids: set[int]) -> float:
    """User and system seconds of processes and of the children they have waited for."""
    ticks = 0
    for pid in pids:
        fields = _read(Path(f"/proc/{pid}/stat")).rpartition(b")")[2].split()
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def dockerd(disk: str) -> Engine:
    """Debian's dockerd with its defaults, but for its folders and its bridge's subnet."""
    folder = tempfile.mkdtemp(prefix="bench-dockerd-", dir=disk)
    program = shutil.which("dockerd", path="/usr/sbin:/usr/bin")
    if program is None:
        raise SystemExit("the benchmarks need Debian's dockerd: apt-get install docker.io")
    socket = f"{folder}/s"
    command = [
        program, "-H", f"unix://{socket}", "--data-root", f"{folder}/data",
        "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid", "--bip", "10.201.0.1/16",
    ]  # fmt: skip
    return Engine("dockerd", command, folder, socket)


def wherry(disk: str) -> Engine:
    """wherry of this checkout with its defaults, but for its folders and its bridge."""
    folder = tempfile.mkdtemp(prefix="bench-wherry-", dir=disk)
    socket = f"{folder}/s"
    program = Path(sys.executable).with_name("wherry")
    command = [
        str(program), "daemon", "--host", f"unix://{socket}", "--root", f"{folder}/data",
        "--exec-root", f"{folder}/exec", "--bip", "10.202.0.0/16", "--bridge", "wherrybench",
    ]  # fmt: skip
    return Engine("wherry", command, folder, socket)
