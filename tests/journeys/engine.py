"""An engine of its own for a journey: the daemon in a temporary folder, and its command line."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

BUSYBOX = "/bin/busybox"
PATIENCE = 30.0
PROGRAM = [sys.executable, "-c", "import sys; from wherry.cli.main import main; sys.exit(main())"]
LINKS = ("sh", "ls", "cat", "echo", "sleep", "stty", "mkdir", "true", "id", "head", "ps", "kill")


class Engine(NamedTuple):
    """A running daemon."""

    host: str
    folder: Path

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
        """`wherry …`; fails where the exit code is another one."""
        done = subprocess.run(
            [*PROGRAM, *words],
            env=self.environment,
            input=input if input is not None else b"",
            capture_output=True,
            check=False,
            timeout=120,
        )
        out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        assert done.returncode == code, f"wherry {words}: {done.returncode}\n{out}{err}"
        return subprocess.CompletedProcess(words, code, out, err)

    def out(self, *words: str) -> str:
        """What `wherry …` prints, without the last newline."""
        return self.run(*words).stdout.rstrip("\n")


@contextmanager
def engine() -> Iterator[Engine]:
    """A daemon with the image `busybox`; nothing of it is left afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="wj-"))
    here = Engine(f"unix://{folder}/s", folder)
    words = [
        "daemon",
        "--host",
        here.host,
        "--root",
        f"{folder}/root",
        "--exec-root",
        f"{folder}/x",
    ]
    with open(folder / "log", "wb") as log:
        daemon = subprocess.Popen([*PROGRAM, *words], stdout=log, stderr=log)
    try:
        _await(here, daemon)
        _import_busybox(here)
        yield here
    finally:
        try:
            if daemon.poll() is None:
                _remove_all(here)
        finally:
            _end(daemon)
            shutil.rmtree(folder, ignore_errors=True)


def _end(daemon: subprocess.Popen[bytes]) -> None:
    """Ask it to stop; one that does not is killed."""
    daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait(PATIENCE)


def _await(here: Engine, daemon: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while not (here.folder / "s").exists():
        log = (here.folder / "log").read_text()
        assert daemon.poll() is None, f"the daemon ended: {log}"
        assert time.monotonic() < until, f"the daemon does not come up: {log}"
        time.sleep(0.05)


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


def _remove_all(here: Engine) -> None:
    names = here.out("ps", "-aq").split()
    if names:
        here.run("rm", "-f", *names)
