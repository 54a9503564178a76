"""An engine alone in a network namespace, with a mirror of the Hub on its loopback."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.compat.nodes import PLAIN_USER, WHERRY
from tests.compat.suites import images
from wherry.testing import registry

ENGINES = ("dockerd", "root", "plain")
PORT = 5555
PATIENCE = 30.0


class Arena(NamedTuple):
    """Where a suite runs: the namespace's holder, and whether it runs as the plain user."""

    engine: str
    folder: Path
    holder: int

    @property
    def host(self) -> str:
        return f"unix://{self.folder}/s"

    def inside(self, words: list[str], *, plain: bool) -> list[str]:
        """The command line in the namespace."""
        user = str(PLAIN_USER)
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        enter = ["nsenter", f"--net=/proc/{self.holder}/ns/net"]
        return [*enter, *(become if plain else []), *words]

    @property
    def environment(self) -> dict[str, str]:
        """Without anything that names another engine; home is the folder."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "WHERRY_"))}
        at = str(self.folder)
        own = {"DOCKER_HOST": self.host, "DOCKER_CONFIG": f"{at}/.docker"}
        return kept | own | {"HOME": at, "TMPDIR": f"{at}/tmp", "XDG_RUNTIME_DIR": ""}


def missing() -> str:
    """Why suites cannot run here; empty where they can."""
    if os.geteuid() != 0:
        return "needs root"
    programs = ("docker", "dockerd", "docker-registry", "busybox", "nsenter", "setpriv", "ip")
    absent = [name for name in programs if not shutil.which(name)]
    return f"needs {', '.join(absent)}" if absent else ""


@contextlib.contextmanager
def mirror() -> Iterator[Path]:
    """A folder with a registry's data: all images that the suites ask the Hub for."""
    with tempfile.TemporaryDirectory(prefix="wherry-mirror-") as name:
        with registry.docker_registry() as running:
            asyncio.run(images.fill(running.host, Path(name) / "content"))
            shutil.copytree(f"{running.folder}/data", f"{name}/data")
        registry.configuration(name, PORT, password=False)
        yield Path(name)


@contextlib.contextmanager
def arena(engine: str, data: Path) -> Iterator[Arena]:
    """An engine of this kind that pulls from the mirror."""
    folder = Path(tempfile.mkdtemp(prefix=f"arena-{engine}-"))
    folder.chmod(0o755)
    for name in ("tmp", ".docker"):
        (folder / name).mkdir()
    (folder / ".docker/config.json").write_text("{}")  # docker-py looks for contexts beside it
    if engine == "plain":
        for path in (folder, folder / "tmp", folder / ".docker"):
            os.chown(path, PLAIN_USER, PLAIN_USER)
    held = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep 1000000"],
        stdout=subprocess.PIPE,
    )
    try:
        assert held.stdout is not None and held.stdout.readline() == b"up\n"
        here = Arena(engine, folder, held.pid)
        hub = ["docker-registry", "serve", f"{data}/config.yml"]
        with (
            _process(here, hub, plain=False),
            _process(here, _command(here), plain=engine == "plain") as process,
        ):
            _await(here, process)
            try:
                yield here
            finally:
                _remove_all(here)
    finally:
        held.kill()
        held.wait()
        for place in (f"{folder}/exec/netns/default", f"{folder}/root"):
            subprocess.run(["umount", "-R", place], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _process(here: Arena, words: list[str], *, plain: bool) -> Iterator["subprocess.Popen[bytes]"]:
    with open(here.folder / f"{Path(words[0]).name}.log", "wb") as log:
        process = subprocess.Popen(
            here.inside(words, plain=plain), env=here.environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def _command(here: Arena) -> list[str]:
    at = str(here.folder)
    flags = [
        "-H", here.host, "--exec-root", f"{at}/exec", "--data-root", f"{at}/root",
        "--registry-mirror", f"http://127.0.0.1:{PORT}",
    ]  # fmt: skip
    if here.engine == "dockerd":
        return ["dockerd", *flags, "--pidfile", f"{at}/pid", "--experimental"]
    return [*WHERRY, "daemon", *flags]


def _await(here: Arena, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
            sock.connect(f"{here.folder}/s")
            sock.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            if b" 200 " in sock.recv(100):
                return
        time.sleep(0.1)
    logs = "".join(path.read_text()[-2000:] for path in here.folder.glob("*.log"))
    raise AssertionError(f"{here.engine} did not come up: {logs}")


def _remove_all(here: Arena) -> None:
    """Containers that the suite left, so that stopping the engine ends everything."""
    docker = here.inside(["docker"], plain=False)
    names = subprocess.run(
        [*docker, "ps", "-aq"], env=here.environment, capture_output=True, text=True, check=False
    ).stdout.split()
    if names:
        words = [*docker, "rm", "-fv", *names]
        subprocess.run(words, env=here.environment, capture_output=True, check=False)
