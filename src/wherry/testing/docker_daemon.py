"""Debian's dockerd as an oracle: private, short-lived, without a network of its own."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator

from wherry.kit.errors import Unavailable

_START_SECONDS = 30.0


def available() -> bool:
    """Whether dockerd can be run here: installed, and by root."""
    return os.geteuid() == 0 and all(map(shutil.which, ("docker", "dockerd")))


@contextlib.contextmanager
def docker_daemon(*options: str) -> Iterator[list[str]]:
    """Run dockerd; the value is a `docker` command line that talks to it. Raises Unavailable.

    It stores by copying, has no bridge and touches no firewall.
    """
    with tempfile.TemporaryDirectory(prefix="wd-", ignore_cleanup_errors=True) as folder:
        docker = ["docker", "-H", f"unix://{folder}/s"]
        command = ["dockerd", "-H", f"unix://{folder}/s", "--data-root", f"{folder}/data"]
        command += ["--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
        command += ["--bridge", "none", "--iptables=false", "--storage-driver", "vfs", *options]
        with (
            open(f"{folder}/log", "wb") as log,
            subprocess.Popen(command, stdout=log, stderr=log) as process,
        ):
            try:
                _wait(process, docker, f"{folder}/log")
                yield docker
            finally:
                process.terminate()
                process.wait(30)


def _wait(process: "subprocess.Popen[bytes]", docker: list[str], log: str) -> None:
    ends = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < ends:
        if not subprocess.run([*docker, "info"], capture_output=True, check=False).returncode:
            return
        time.sleep(0.1)
    with open(log) as file:
        raise Unavailable(f"dockerd did not start: {file.read()[-800:]}")
