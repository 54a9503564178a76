"""Hooks (config.md, POSIX-platform hooks) and other small programs of the host, run and awaited."""

import json
import os
import select
import signal
import time

from wherry.linux import process
from wherry.linux.process import close_range
from wherry.runtime.errors import HookFailed
from wherry.runtime.spec_types import Hook

_MOST_OUTPUT = 1 << 16


def run_hooks(name: str, hooks: tuple[Hook, ...], state: dict[str, object]) -> None:
    """Run hooks in order, each with the state on its stdin. Raises HookFailed at the first."""
    document = json.dumps(state).encode() if hooks else b""
    for index, hook in enumerate(hooks):
        try:
            status, output = run_program(
                hook.path, hook.args or (hook.path,), hook.env, document, hook.timeout
            )
        except OSError as error:
            raise HookFailed(f"{name} hook #{index}: {hook.path}: {error.strerror}") from error
        if status:
            detail = output.strip() or "no output"
            raise HookFailed(
                f"error running {name} hook #{index}: {hook.path}: {describe(status)}: {detail}"
            )


def describe(status: int) -> str:
    """An exit status for people, in Go's words."""
    return f"signal: {-status}" if status < 0 else f"exit status {status}"


def run_program(
    path: str,
    args: tuple[str, ...],
    env: tuple[str, ...] = (),
    stdin: bytes = b"",
    timeout: float | None = None,
) -> tuple[int, str]:
    """Run a program; (exit status or -signal, its stdout and stderr).

    Raises HookFailed when `timeout` seconds are over (it is killed), OSError where it cannot run.
    """
    environment = dict(entry.split("=", 1) for entry in env if "=" in entry)
    input_read, input_write = os.pipe2(os.O_CLOEXEC)
    output_read, output_write = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _become(path, args, environment, input_read, output_write)
    os.close(input_read)
    os.close(output_write)
    pidfd = process.pidfd_open(pid)
    output = _Exchange(input_write, output_read, stdin)
    try:
        if not output.run(pidfd, timeout):
            process.pidfd_send_signal(pidfd, signal.SIGKILL)
            raise HookFailed(f"{path}: killed after {timeout} seconds")
    finally:
        output.close()
        os.close(pidfd)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status, output.text()


def _become(path: str, args: tuple[str, ...], env: dict[str, str], stdin: int, out: int) -> None:
    """The child's part: descriptors 0, 1, 2, default signals, execve."""
    try:
        os.setsid()
        restore_signals()
        os.dup2(stdin, 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        close_range(3)
        os.execve(path, args, env)
    except OSError as error:
        os.write(2, f"{path}: {error.strerror}".encode())
    finally:
        os._exit(127)


def restore_signals() -> None:
    """Default actions and an empty mask: Python ignores SIGPIPE and SIGXFSZ, exec keeps that."""
    process.reset_signals()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


class _Exchange:
    """Feeds stdin and collects output until the process has ended."""

    __slots__ = ("_chunks", "_input", "_output", "_pending")

    def __init__(self, input_fd: int, output_fd: int, stdin: bytes) -> None:
        self._input: int | None = input_fd
        self._output: int | None = output_fd
        self._pending = memoryview(stdin)
        self._chunks: list[bytes] = []
        os.set_blocking(input_fd, False)
        os.set_blocking(output_fd, False)

    def run(self, pidfd: int, timeout: float | None) -> bool:
        """Whether the process ended in time."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self._feed()
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ended = pidfd in self._wait(pidfd, left)
            self._collect()
            if ended:
                return True
            if left == 0.0:
                return False

    def _wait(self, pidfd: int, seconds: float | None) -> list[int]:
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        if self._output is not None:
            poller.register(self._output, select.POLLIN)
        if self._input is not None:
            poller.register(self._input, select.POLLOUT)
        events = poller.poll(None if seconds is None else int(seconds * 1000) + 1)
        return [descriptor for descriptor, _ in events]

    def _feed(self) -> None:
        if self._input is None:
            return
        try:
            while self._pending:
                self._pending = self._pending[os.write(self._input, self._pending) :]
        except BlockingIOError:
            return
        except OSError:
            pass  # EPIPE: it does not read its stdin, which is its right
        os.close(self._input)
        self._input = None

    def _collect(self) -> None:
        while self._output is not None:
            try:
                chunk = os.read(self._output, 65536)
            except BlockingIOError:
                return
            if not chunk:
                os.close(self._output)
                self._output = None
            elif sum(map(len, self._chunks)) < _MOST_OUTPUT:
                self._chunks.append(chunk)

    def text(self) -> str:
        """What it wrote."""
        return b"".join(self._chunks).decode(errors="replace")

    def close(self) -> None:
        """Close what is still open."""
        for descriptor in (self._input, self._output):
            if descriptor is not None:
                os.close(descriptor)
        self._input = self._output = None
