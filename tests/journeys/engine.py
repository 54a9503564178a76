"""An engine of its own for a journey: the daemon in a temporary folder, and its command line."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.journeys import leftovers

BUSYBOX = "/bin/busybox"
PATIENCE = 30.0
PROGRAM = [sys.executable, "-c", "import sys; from wherry.cli.main import main; sys.exit(main())"]
LINKS = (
    "sh",
    "ls",
    "cat",
    "echo",
    "sleep",
    "stty",
    "mkdir",
    "true",
    "id",
    "head",
    "ps",
    "kill",
    "grep",
    "cut",
    "touch",
    "hostname",
    "tty",
)


class Engine(NamedTuple):
    """A running daemon."""

    host: str
    folder: Path
    client: tuple[str, ...] = tuple(PROGRAM)
    """The command line that `run` uses: ours or Docker's."""
    daemons: list["subprocess.Popen[bytes]"] = []  # noqa: RUF012 (always given)
    """The last one is the present one."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which our programs and Docker's find it."""
        return {
            **os.environ,
            "WHERRY_HOST": self.host,
            "DOCKER_HOST": self.host,
            "DOCKER_CONFIG": str(self.folder / "config"),
        }

    def run(
        self, *words: str, code: int = 0, input: bytes | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`wherry …` or `docker …`; fails where the exit code is another one."""
        done = subprocess.run(
            [*self.client, *words],
            env=self.environment,
            input=input if input is not None else b"",
            capture_output=True,
            check=False,
            timeout=120,
        )
        out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        assert done.returncode == code, f"{self.client[-1]} {words}: {done.returncode}\n{out}{err}"
        return subprocess.CompletedProcess(words, code, out, err)

    def out(self, *words: str) -> str:
        """What `wherry …` prints, without the last newline."""
        return self.run(*words).stdout.rstrip("\n")


@contextmanager
def engine() -> Iterator[Engine]:
    """A daemon with the image `busybox`; nothing of it is left afterwards, which is checked."""
    folder = Path(tempfile.mkdtemp(prefix="wj-"))
    here = Engine(f"unix://{folder}/s", folder, daemons=[])
    try:
        start_daemon(here)
        _import_busybox(here)
        yield here
    finally:
        try:
            ids = _remove_all(here)
        finally:
            end_daemon(here)
        left = leftovers.find(folder, _bridge(folder), ids)
        shutil.rmtree(folder, ignore_errors=True)
    assert left == [], "\n".join(left)


def _bridge(folder: Path) -> str:
    return f"br{folder.name}"[:15]


def start_daemon(here: Engine, *flags: str) -> None:
    """A daemon that answers; root's has a bridge of its own."""
    root, exec_root = f"{here.folder}/root", f"{here.folder}/x"
    words = ["daemon", "--host", here.host, "--root", root, "--exec-root", exec_root, *flags]
    if os.geteuid() == 0:
        words += ["-b", _bridge(here.folder)]
    with open(here.folder / "log", "ab") as log:
        here.daemons.append(subprocess.Popen([*PROGRAM, *words], stdout=log, stderr=log))
    _await(here, here.daemons[-1])


def kill_daemon(here: Engine) -> None:
    """kill -9."""
    here.daemons[-1].kill()
    here.daemons[-1].wait(PATIENCE)


def end_daemon(here: Engine) -> None:
    """Ask it to stop; one that does not is killed."""
    daemon = here.daemons[-1]
    daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait(PATIENCE)


def _await(here: Engine, daemon: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while not _answers(here):
        log = (here.folder / "log").read_text()
        assert daemon.poll() is None, f"the daemon ended: {log}"
        assert time.monotonic() < until, f"the daemon does not come up: {log}"
        time.sleep(0.05)


def _answers(here: Engine) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(here.folder / "s")) == 0


def _import_busybox(here: Engine) -> None:
    tree = here.folder / "tree"
    for name in ("bin", "etc", "tmp", "root"):
        (tree / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, tree / "bin/busybox")
    for name in LINKS:
        (tree / "bin" / name).symlink_to("busybox")
    (tree / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    archive = here.folder / "busybox.tar"
    subprocess.run(["tar", "-C", tree, "-cf", archive, "."], check=True)
    here.run("import", "-c", 'CMD ["sh"]', str(archive), "busybox")


def _remove_all(here: Engine) -> list[str]:
    """The ids of all containers that there were, as far as the engine remembers."""
    words = ("events", "--since", "1", "--until", str(int(time.time()) + 1))
    ids = here.out(*words, "-f", "event=create", "--format", "{{.Actor.ID}}").split()
    names = here.out("ps", "-aq").split()
    if names:
        here.run("rm", "-f", *names)
    return ids
