"""A running process of the container, init or exec: held by pidfd, with its standard streams."""

import fcntl
import os
import struct
import termios
from typing import NamedTuple

from wherry.kit.errors import Conflict, InvalidInput
from wherry.linux.process import pidfd_send_signal
from wherry.monitor.birth import Spawned
from wherry.monitor.stdio import Stdio


class Pipes(NamedTuple):
    """Both ends of a process's streams; `ours` maps output descriptors to stream numbers."""

    theirs: tuple[int, int, int]
    ours: dict[int, int]
    stdin: int | None


def make_pipes(*, stdin: bool, stdout: bool = True, stderr: bool = True) -> Pipes:
    """Pipes for the streams that are wanted, /dev/null for the others."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    theirs, ours = [null, null, null], {}
    writer: int | None = None
    if stdin:
        theirs[0], writer = os.pipe2(os.O_CLOEXEC)
    for stream, wanted in ((1, stdout), (2, stderr)):
        if wanted:
            reader, theirs[stream] = os.pipe2(os.O_CLOEXEC)
            ours[reader] = stream
    if null not in theirs:
        os.close(null)
    return Pipes((theirs[0], theirs[1], theirs[2]), ours, writer)


def close_theirs(pipes: Pipes) -> None:
    """The process has its ends."""
    for fd in set(pipes.theirs):
        os.close(fd)


def close_ours(pipes: Pipes) -> None:
    """There will be no process."""
    for fd in pipes.ours:
        os.close(fd)
    if pipes.stdin is not None:
        os.close(pipes.stdin)


class Process:
    """Identity, pidfd and streams. The pidfd stays open until `close`."""

    __slots__ = ("identity", "pidfd", "started", "stdio")

    def __init__(self, spawned: Spawned, stdio: Stdio) -> None:
        self.identity = spawned.identity
        self.pidfd = spawned.pidfd
        self.stdio = stdio
        self.started = 0

    def kill(self, number: int) -> None:
        """Raises Conflict when it has ended already."""
        try:
            pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError as error:
            raise Conflict(f"process {self.identity.pid} has ended") from error

    def resize(self, columns: int, rows: int) -> None:
        """Raises Conflict where there is no terminal (any more), InvalidInput for a bad size."""
        resize(self.stdio.master, columns, rows)

    def close(self) -> None:
        """Let go of it."""
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


def resize(master: int, columns: int, rows: int) -> None:
    """Set a terminal's size (TIOCSWINSZ, tty_ioctl(4)); its processes get SIGWINCH."""
    if master < 0:
        raise Conflict("the process has no terminal")
    if not (0 <= columns < 1 << 16 and 0 <= rows < 1 << 16):
        raise InvalidInput(f"a terminal of {columns} columns and {rows} rows")
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
