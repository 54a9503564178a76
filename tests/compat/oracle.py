"""Debian's dockerd of 20.10 with a small image, to compare with."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DOCKER = "/usr/bin/docker"
BUSYBOX = "/bin/busybox"
TIMEOUT = 30.0


def is_here() -> bool:
    """Whether this machine and user can run it."""
    needed = (shutil.which("dockerd"), os.path.exists(DOCKER), os.path.exists(BUSYBOX))
    return os.geteuid() == 0 and all(needed)


@contextmanager
def dockerd(*more: str) -> Iterator[str]:
    """A running daemon with the image `busybox` and more flags; its address."""
    with tempfile.TemporaryDirectory(prefix="oracle-", ignore_cleanup_errors=True) as name:
        root = Path(name)
        host = f"unix://{root}/docker.sock"
        with open(root / "log", "wb") as log:
            daemon = subprocess.Popen([*_command(root, host), *more], stdout=log, stderr=log)
        try:
            _await(host, daemon, root / "log")
            _import(host, root)
            yield host
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(TIMEOUT)


def _command(root: Path, host: str) -> list[str]:
    return [
        "dockerd", "-H", host, "--data-root", f"{root}/data", "--exec-root", f"{root}/exec",
        "--pidfile", f"{root}/pid", "--bridge", "none", "--iptables=false",
    ]  # fmt: skip


def _await(host: str, daemon: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until and daemon.poll() is None:
        if docker(host, "version", check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(f"dockerd did not come up: {log.read_text()[-2000:]}")


def _import(host: str, root: Path) -> None:
    tree = root / "tree"
    for folder in ("bin", "etc", "tmp", "root"):
        (tree / folder).mkdir(parents=True)
    shutil.copy(BUSYBOX, tree / "bin/busybox")
    for name in ("sh", "ls", "cat", "echo", "sleep", "stty", "mkdir", "ln", "true", "id", "trap"):
        (tree / "bin" / name).symlink_to("busybox")
    (tree / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (tree / "etc/group").write_text("root:x:0:\n")
    subprocess.run(["tar", "-C", tree, "-cf", root / "busybox.tar", "."], check=True)
    docker(host, "import", "-c", 'CMD ["sh"]', f"{root}/busybox.tar", "busybox")


def docker(host: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the oracle's own command line."""
    done = subprocess.run(
        [DOCKER, *words],
        env={**os.environ, "DOCKER_HOST": host},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, f"docker {words}: {done.stderr}"
    return done
