"""`ssh://[user@]host[:port][/socket]`: an engine's socket through the machine's own ssh.

ssh runs `wherry system dial-stdio` there, or docker's where there is no wherry: a pipe between its
standard streams and the engine's socket. Keys, agents, jump hosts and shared connections are what
~/.ssh/config says. ssh asks for passwords at the terminal itself.
"""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from wherry.kit.errors import InvalidInput, Unavailable

FAREWELL = 0.2
PATIENCE = 2.0
"""Seconds for ssh to leave by itself, and after it was asked to."""
_SCRIPT = (
    'if command -v wherry >/dev/null 2>&1; then exec wherry "$@" system dial-stdio; fi; '
    'exec docker "$@" system dial-stdio'
)


class Ssh(NamedTuple):
    """Where to; empty fields are left to ssh's own configuration."""

    host: str
    user: str = ""
    port: str = ""
    socket: str = ""
    """Path of the engine's socket there; empty for the one its command line would take."""

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh://{user}{host}{':' + self.port if self.port else ''}{self.socket}"


def parse(url: str) -> Ssh:
    """Raises InvalidInput."""
    rest = url.removeprefix("ssh://")
    authority, slash, path = rest.partition("/")
    user, at, address = authority.rpartition("@")
    host, port = address, ""
    if address.startswith("["):
        host, _, port = address[1:].partition("]")
        port = port.removeprefix(":")
    elif ":" in address:
        host, _, port = address.partition(":")
    if ":" in user:
        raise InvalidInput("a password in an ssh:// host is refused: use a key or an agent")
    if not host or host.startswith("-") or (at and not user) or (port and not port.isdigit()):
        raise InvalidInput(f"unable to parse docker host `{url}`: want ssh://[user@]host[:port]")
    return Ssh(host, user, port, slash + path if path else "")


def command(where: Ssh) -> list[str]:
    """The words that ssh is started with."""
    words = ["ssh", "-T", "-o", "ConnectTimeout=30"]
    words += ["-l", where.user] if where.user else []
    words += ["-p", where.port] if where.port else []
    chosen = ["--host", f"unix://{where.socket}"] if where.socket else []
    there = ["exec", "sh", "-c", _SCRIPT, "dial", *chosen]
    return [*words, "--", where.host, " ".join(_quoted(word) for word in there)]


def _quoted(word: str) -> str:
    """For any shell that knows single quotes: the one of the account there."""
    return word if word.isalnum() else "'" + word.replace("'", "'\\''") + "'"


class Tunnel(socket.socket):
    """A socket whose other end is the standard input and output of a running ssh."""

    pid = 0
    errors = -1

    def close(self) -> None:
        """Close it, and wait until ssh has gone."""
        super().close()
        if self.pid:
            pid, self.pid = self.pid, 0
            _end(pid)
        if self.errors >= 0:
            os.close(self.errors)
            self.errors = -1

    def complaint(self) -> str:
        """What ssh said on its way out; empty where it is still there."""
        if not self.pid or not _gone(self.pid, PATIENCE):
            return ""
        self.pid = 0
        said = os.pread(self.errors, 4096, 0).decode("utf-8", "replace").strip()
        return said or "ssh has ended without a word"


def connect(where: Ssh) -> Tunnel:
    """Start ssh; whether it comes through is known only when it answers. Raises Unavailable."""
    ours, theirs = socket.socketpair()
    tunnel = Tunnel(fileno=ours.detach())
    try:
        tunnel.errors = os.memfd_create("ssh-errors")
        with theirs, _uninterrupted():
            tunnel.pid = os.posix_spawnp(
                "ssh",
                command(where),
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, theirs.fileno(), 0),
                    (os.POSIX_SPAWN_DUP2, theirs.fileno(), 1),
                    (os.POSIX_SPAWN_DUP2, tunnel.errors, 2),
                ],
            )
    except OSError as error:
        tunnel.close()
        raise Unavailable(f"cannot start ssh for {where}: {error.strerror}") from error
    return tunnel


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """A child that ignores Ctrl-C: it is the container's, whose signal travels through ssh."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _gone(pid: int, seconds: float) -> bool:
    """Wait for a child of ours so long at most."""
    until = time.monotonic() + seconds
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def _end(pid: int) -> None:
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        if _gone(pid, FAREWELL if signal_number == signal.SIGTERM else PATIENCE):
            return
        os.kill(pid, signal_number)
    os.waitpid(pid, 0)
