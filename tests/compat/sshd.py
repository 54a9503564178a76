"""A throw-away sshd on the loopback, with keys and a configuration of its own.

What is asked for there finds the programs of a folder only, so a test says whether there is a
`docker` or a `wherry`. `ssh` in `PATH` is a script that adds the client's configuration, since
Docker's command line starts ssh by that name.
"""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

SSHD = "/usr/sbin/sshd"
PATIENCE = 20.0
ALIAS = "wherry-test-host"


def missing() -> str:
    """Why there can be none; empty where there can."""
    return "" if os.path.exists(SSHD) and shutil.which("ssh") else "needs openssh-server"


class Server(NamedTuple):
    """A running sshd. Its host has the name ALIAS for those who have `path` in front of PATH."""

    folder: Path

    @property
    def path(self) -> str:
        return f"{self.folder}/near:{os.environ['PATH']}"

    @property
    def url(self) -> str:
        return f"ssh://{getpass.getuser()}@{ALIAS}"


def script(path: Path, text: str) -> None:
    """An executable shell script."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def wherry() -> str:
    """The command line as a script's text."""
    code = "import sys; from wherry.cli.main import main; sys.exit(main())"
    return f"exec {sys.executable} -c '{code}' \"$@\""


@contextlib.contextmanager
def server(programs: Mapping[str, str], variables: Mapping[str, str]) -> Iterator[Server]:
    """An sshd whose sessions have these programs (name → script) and variables."""
    folder = Path(tempfile.mkdtemp(prefix="sshd-"))
    port = _free_port()
    for name, text in programs.items():
        script(folder / "far" / name, text)
    _configure(folder, port, {**variables, "PATH": f"{folder}/far:/usr/bin:/bin"})
    made = Path("/run/sshd")
    ours = not made.exists()
    made.mkdir(exist_ok=True)
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stderr=log)
    try:
        _await(folder, port, process)
        yield Server(folder)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        if ours:
            made.rmdir()
        shutil.rmtree(folder, ignore_errors=True)


def _configure(folder: Path, port: int, variables: Mapping[str, str]) -> None:
    for name in ("host", "user"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{name}"]
        subprocess.run(words, check=True)
    shutil.copy(folder / "user.pub", folder / "authorized")
    told = " ".join(f'"{name}={value}"' for name, value in variables.items())
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nPermitRootLogin yes\n"
        f"UsePAM no\nPasswordAuthentication no\nSetEnv {told}\n"
    )
    key = (folder / "host.pub").read_text()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {key}")
    (folder / "ssh_config").write_text(
        f"Host {ALIAS}\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {folder}/user\n"
        f"  UserKnownHostsFile {folder}/known\n  IdentitiesOnly yes\n  BatchMode yes\n"
    )
    (folder / "near").mkdir()
    script(folder / "near/ssh", f'exec {shutil.which("ssh")} -F {folder}/ssh_config "$@"')


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(folder: Path, port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"sshd did not come up: {(folder / 'log').read_text()}")
