"""Staying with a process: signals and terminal passed on, its exit code as ours."""

import contextlib
import fcntl
import os
import select
import signal
import socket
import termios
import tty
from types import FrameType

from wherry.kit.errors import Internal
from wherry.linux import fdpass, process

_CHUNK = 65536
_NOT_FORWARDED = {
    signal.SIGKILL,
    signal.SIGSTOP,
    signal.SIGCHLD,
    signal.SIGURG,
    signal.SIGPIPE,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGTSTP,
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
}


def hold_signals() -> None:
    """Keep signals back until `forward_signals` knows whom to pass them to."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - _NOT_FORWARDED)


def forward_signals(pidfd: int) -> None:
    """From here on our signals are the process's; what came meanwhile is passed on now."""

    def forward(number: int, frame: FrameType | None) -> None:
        del frame
        with contextlib.suppress(ProcessLookupError):
            process.pidfd_send_signal(pidfd, number)

    for number in signal.valid_signals() - _NOT_FORWARDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def wait(pid: int) -> int:
    """Pass signals on to the child until it ends; its exit code, 128 + signal where killed."""
    pidfd = process.pidfd_open(pid)
    forward_signals(pidfd)
    while True:
        reaped, status = os.waitpid(-1, 0)
        if reaped == pid:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code


class Terminal:
    """Our own terminal joined to a container's: raw, resized with ours, restored at the end."""

    __slots__ = ("_master", "_ours", "_saved", "theirs")

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._ours = ours
        self.theirs = theirs
        """What is given to the runtime as the console socket."""
        self._master = -1
        self._saved: list[object] | None = None

    def open(self) -> None:
        """Receive the master, go raw, take over our size."""
        self.theirs.close()
        data, fds = fdpass.receive(self._ours)
        self._ours.close()
        if not data or len(fds) != 1:
            raise Internal("the runtime sent no terminal")
        self._master = fds[0]
        if os.isatty(0):
            self._saved = termios.tcgetattr(0)
            tty.setraw(0)
        self._resize()

    def _on_resize(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._resize()

    def _resize(self) -> None:
        if os.isatty(0):
            size = fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8))
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def relay(self, pid: int) -> int:
        """Move bytes until the process has ended and its output is drained; its exit code."""
        pidfd = process.pidfd_open(pid)
        forward_signals(pidfd)
        signal.signal(signal.SIGWINCH, self._on_resize)
        poller = select.poll()
        poller.register(self._master, select.POLLIN)
        poller.register(0, select.POLLIN)
        poller.register(pidfd, select.POLLIN)
        try:
            while pidfd not in (ready := dict(poller.poll())):
                self._move(ready, poller)
            while select.select([self._master], [], [], 0)[0] and self._copy_out():
                continue
        finally:
            self.close()
        return wait_status(pid)

    def _move(self, ready: dict[int, int], poller: "select.poll") -> None:
        if self._master in ready and not self._copy_out():
            poller.unregister(self._master)
        if 0 in ready:
            data = os.read(0, _CHUNK)
            if data:
                os.write(self._master, data)
            else:
                poller.unregister(0)

    def _copy_out(self) -> bool:
        try:
            data = os.read(self._master, _CHUNK)
        except OSError:
            return False  # EIO: the last one who had the slave open is gone
        view = memoryview(data)
        while view:
            view = view[os.write(1, view) :]
        return bool(data)

    def close(self) -> None:
        """Restore our terminal."""
        if self._saved is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, self._saved)  # type: ignore[arg-type]
            self._saved = None
        if self._master >= 0:
            os.close(self._master)
            self._master = -1


def wait_status(pid: int) -> int:
    """Reap a child that has ended; its exit code."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return 128 - code if code < 0 else code
