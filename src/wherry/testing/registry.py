"""Throw-away registries on loopback: Debian's docker-registry, and a faulty one in process."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import NamedTuple

from wherry.kit.errors import Unavailable

PROGRAM = "docker-registry"
USER, PASSWORD = "wherry", "aboard"
_HASH = "$2b$04$.9u46s1y/.Nhtqq6RF3TKO9xoYgDRNRLVXEeJBrQqzQ39CeRQ0Wp2"
"""bcrypt of PASSWORD, the only kind docker-registry takes."""
_START_SECONDS = 15.0


class RunningRegistry(NamedTuple):
    """A registry that answers."""

    host: str
    """`127.0.0.1:PORT`."""
    folder: str
    pid: int

    def reference(self, name: str) -> str:
        """A full reference to a repository of this registry."""
        return f"{self.host}/{name}"


def available() -> bool:
    """Whether Debian's docker-registry is installed."""
    return shutil.which(PROGRAM) is not None


@contextlib.contextmanager
def docker_registry(*, password: bool = False) -> Iterator[RunningRegistry]:
    """Run docker-registry on a free loopback port; gone with all its data afterwards.

    With `password` it wants USER and PASSWORD by basic authentication. Raises Unavailable.
    """
    with tempfile.TemporaryDirectory(prefix="wherry-registry-") as folder:
        port = _free_port()
        config = configuration(folder, port, password)
        with (
            open(f"{folder}/log", "wb") as log,
            subprocess.Popen(
                [PROGRAM, "serve", config],
                stdout=log,
                stderr=log,
                env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
            ) as process,
        ):
            try:
                _wait(process, port, f"{folder}/log")
                yield RunningRegistry(f"127.0.0.1:{port}", folder, process.pid)
            finally:
                process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def configuration(folder: str, port: int, password: bool) -> str:
    """The path of a configuration file that is written into the folder."""
    value: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": f"{folder}/data"},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    if password:
        with open(f"{folder}/htpasswd", "w") as file:
            file.write(f"{USER}:{_HASH}\n")
        value["auth"] = {"htpasswd": {"realm": "test", "path": f"{folder}/htpasswd"}}
    path = f"{folder}/config.yml"
    with open(path, "w") as file:
        json.dump(value, file)  # JSON is YAML
    return path


def _wait(process: "subprocess.Popen[bytes]", port: int, log: str) -> None:
    ends = time.monotonic() + _START_SECONDS
    while time.monotonic() < ends:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=1).close()
            return
        except urllib.error.HTTPError as error:
            error.close()
            return  # 401 is an answer too
        except OSError:
            time.sleep(0.05)
    with open(log) as file:
        raise Unavailable(f"{PROGRAM} did not start: {file.read()[-500:]}")
