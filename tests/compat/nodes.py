"""Engines of every kind, each reachable by a unix socket and by TCP with mutual TLS.

`root` and `plain` are ours, run by root and by a user with one id; `dockerd` is Debian's. All have
an image `busybox`, no network of their own, and leave nothing.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

BUSYBOX = "/bin/busybox"
LINKS = (
    "sh ls cat echo sleep mkdir ln true id mv rm head seq touch dd mount df test stat find chown "
    "chmod yes tar"
).split()
PATIENCE = 30.0
PLAIN_USER = 65533
WHERRY = (sys.executable, "-c", "import sys; from wherry.cli.main import main; sys.exit(main())")
DOCKER = ("/usr/bin/docker",)
KINDS = ("root", "plain", "dockerd")


def missing() -> str:
    """Why they cannot run here; empty where they can."""
    if os.geteuid() != 0:
        return "needs root"
    absent = [name for name in ("dockerd", "setpriv", "ip") if not shutil.which(name)]
    absent += [path for path in (DOCKER[0], BUSYBOX) if not os.path.exists(path)]
    return f"needs {', '.join(absent)}" if absent else ""


class Node(NamedTuple):
    """A running engine."""

    kind: str
    folder: Path
    address: str
    """Host and port of its TLS listener."""

    @property
    def host(self) -> str:
        return f"unix://{self.folder}/s"

    @property
    def certificates(self) -> Path:
        """A folder as DOCKER_CERT_PATH wants it."""
        return self.folder / "tls/client"

    @property
    def secured(self) -> dict[str, str]:
        """The environment in which clients come by TLS."""
        return environment(
            DOCKER_HOST=f"tcp://{self.address}",
            DOCKER_TLS_VERIFY="1",
            DOCKER_CERT_PATH=str(self.certificates),
        )

    def run(
        self, *words: str, program: tuple[str, ...] = WHERRY, code: int = 0, input: bytes = b""
    ) -> str:
        """The output of a command through the unix socket; fails where its exit code is another."""
        return run([*program, *words], environment(DOCKER_HOST=self.host), code, input)


def environment(**more: str) -> dict[str, str]:
    """Ours, without what would name an engine or a context."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "WHERRY_"))}
    return {**kept, "DOCKER_CONFIG": "/nonexistent", **more}


def run(words: list[str], env: dict[str, str], code: int = 0, input: bytes = b"") -> str:
    """Output and errors of a program together."""
    done = subprocess.run(
        words, env=env, input=input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False, timeout=100,
    )  # fmt: skip
    said = done.stdout.decode("utf-8", "replace")
    assert done.returncode == code, f"{words}: {done.returncode}\n{said}"
    assert "Traceback" not in said, said
    return said


@contextlib.contextmanager
def node(kind: str, address: str = "127.0.0.1", *, netns: str = "") -> Iterator[Node]:
    """An engine of this kind that listens on a free port of the address, in a network namespace."""
    folder = Path(tempfile.mkdtemp(prefix=f"node-{kind}-"))
    folder.chmod(0o755)
    run([*WHERRY, "tls", "init", "--dir", f"{folder}/tls", address], environment())
    if kind == "plain":
        run(["chown", "-R", f"{PLAIN_USER}:{PLAIN_USER}", str(folder)], environment())
    here = Node(kind, folder, f"{address}:{_free_port()}")
    try:
        with _running(here, netns):
            _import_busybox(here)
            yield here
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _running(here: Node, netns: str) -> Iterator[None]:
    prefix = ["nsenter", f"--net=/run/netns/{netns}"] if netns else []
    env = environment(HOME=f"{here.folder}", TMPDIR=f"{here.folder}", XDG_RUNTIME_DIR="")
    with open(here.folder / "log", "wb") as log:
        process = subprocess.Popen([*prefix, *_command(here)], env=env, stdout=log, stderr=log)
    try:
        _await(here, process)
        yield
    finally:
        if process.poll() is None:
            names = here.run("ps", "-aq").split()
            if names:
                here.run("rm", "-fv", *names)
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        for place in (f"{here.folder}/exec/netns/default", f"{here.folder}/root"):
            subprocess.run(["umount", "-R", place], capture_output=True, check=False)


def _command(here: Node) -> list[str]:
    at = str(here.folder)
    flags = [
        "-H", here.host, "-H", f"tcp://{here.address}", "--exec-root", f"{at}/exec", "--tlsverify",
        "--tlscacert", f"{at}/tls/ca.pem", "--tlscert", f"{at}/tls/server-cert.pem",
        "--tlskey", f"{at}/tls/server-key.pem", "--bridge", "none", "--data-root", f"{at}/root",
    ]  # fmt: skip
    if here.kind == "dockerd":
        return ["dockerd", *flags, "--pidfile", f"{at}/pid", "--iptables=false"]
    ours = [*WHERRY, "daemon", *flags]
    if here.kind == "root":
        return ours
    user = str(PLAIN_USER)
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *ours]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(here: Node, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        if _answers(f"{here.folder}/s"):
            return
        time.sleep(0.05)
    raise AssertionError(
        f"{here.kind} did not come up: {(here.folder / 'log').read_text()[-2000:]}"
    )


def _answers(path: str) -> bool:
    """dockerd listens long before it answers."""
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(path)
            sock.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in sock.recv(100)
        except OSError:
            return False


def _import_busybox(here: Node) -> None:
    tree = here.folder / "tree"
    for name in ("bin", "etc", "tmp", "root"):
        (tree / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, tree / "bin/busybox")
    for name in LINKS:
        (tree / "bin" / name).symlink_to("busybox")
    (tree / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (tree / "etc/group").write_text("root:x:0:\n")
    archive = here.folder / "busybox.tar"
    subprocess.run(["tar", "-C", tree, "-cf", archive, "."], check=True)
    here.run("import", "-c", 'CMD ["sh"]', str(archive), "busybox")
