"""The two ways to a container: our runtime as functions, or a program with runc's command line."""

import json
import os
import socket
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from wherry.kit.errors import Internal, Unavailable
from wherry.kit.files import read_optional
from wherry.linux import fdpass
from wherry.linux.cgroup.oom import OomEvents
from wherry.monitor.failure import ProcessFailed, classify
from wherry.monitor.oom import watch_process
from wherry.monitor.protocol import ExecLaunch, LaunchRequest

Stdio = tuple[int, int, int]
Meanwhile = Callable[[int], None]


class Started(NamedTuple):
    """A new process: its pid as we see it, and its terminal's master where it has one.

    `start_time` is 0 where it has still to be looked up.
    """

    pid: int
    master: int = -1
    start_time: int = 0


class Runtime(Protocol):
    """What the monitor needs. All raise WherryError or OSError; ProcessFailed for a bad program."""

    dies_with_us: bool
    """Whether the container ends by itself when the monitor is killed."""

    def create(self, stdio: Stdio | None, meanwhile: Meanwhile) -> Started:
        """Make the container up to the point of start; no stdio means a terminal.

        `meanwhile` is called with init's pid as soon as its namespaces can be looked at.
        """

    def start(self) -> None:
        """Let the container's program begin."""

    def expect_exec(self) -> None:
        """`execute` will be called: look up now what is known now."""

    def execute(self, launch: ExecLaunch, stdio: Stdio | None) -> Started:
        """A further process in the container, our parent's child. We may be inside after it."""

    def kill(self, number: int, *, everyone: bool) -> None:
        """A signal to init, or to all processes."""

    def delete(self) -> None:
        """Remove what is left: cgroups, state. Not existing is fine."""

    def status(self) -> str:
        """creating, created, running, paused, stopped."""

    def oom_events(self, init: int) -> OomEvents | None:
        """News of out-of-memory kills; None where there is no memory cgroup of its own."""


class CommandLine:
    """runc, crun, or what understands their command line."""

    dies_with_us = False

    def __init__(self, request: LaunchRequest) -> None:
        self._request = request
        self._id = request.container_id
        self._log = f"{request.exec_dir}/runtime.log"

    def create(self, stdio: Stdio | None, meanwhile: Meanwhile) -> Started:
        pid_file = f"{self._request.exec_dir}/init.pid"
        options = ["create", "--bundle", self._request.bundle, "--pid-file", pid_file]
        if self._request.no_pivot:
            options.append("--no-pivot")
        started = self._started(options, [self._id], pid_file, stdio)
        meanwhile(started.pid)
        return started

    def start(self) -> None:
        self._run(["start", self._id])

    def expect_exec(self) -> None:
        """The program looks for itself."""

    def execute(self, launch: ExecLaunch, stdio: Stdio | None) -> Started:
        folder = f"{self._request.exec_dir}/exec"
        pid_file, process = f"{folder}/{launch.exec_id}.pid", f"{folder}/{launch.exec_id}.process"
        with open(process, "w") as file:
            json.dump(launch.process, file)
        try:
            options = ["exec", "--detach", "--process", process, "--pid-file", pid_file]
            return self._started(options, [self._id], pid_file, stdio)
        finally:
            os.unlink(process)

    def kill(self, number: int, *, everyone: bool) -> None:
        self._run(["kill", *(["--all"] if everyone else []), self._id, str(number)])

    def delete(self) -> None:
        self._run(["delete", "--force", self._id])

    def status(self) -> str:
        output = f"{self._request.exec_dir}/state.out"
        descriptor = os.open(output, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self._run(["state", self._id], (-1, descriptor, -1))
            return str(json.loads(os.pread(descriptor, 1 << 20, 0))["status"])
        finally:
            os.close(descriptor)
            os.unlink(output)

    def oom_events(self, init: int) -> OomEvents | None:
        return watch_process(init)

    def _started(
        self, options: list[str], names: list[str], pid_file: str, stdio: Stdio | None
    ) -> Started:
        try:
            if stdio is not None:
                self._run([*options, *names], stdio)
                return Started(_read_pid(pid_file))
            with ConsoleSocket(f"{self._request.exec_dir}/console.sock") as console:
                tty = ["--tty"] if options[0] == "exec" else []
                self._run([*options, *tty, "--console-socket", console.path, *names])
                return Started(_read_pid(pid_file), console.receive())
        finally:
            if os.path.exists(pid_file):
                os.unlink(pid_file)

    def _run(self, arguments: Sequence[str], stdio: Stdio = (-1, -1, -1)) -> None:
        """Run the program to its end; its log has the reason of a failure."""
        prefix = self._request.runtime
        options = ["--root", self._request.state_root, "--log", self._log, "--log-format", "json"]
        argv = [*prefix, *options, *arguments]
        actions = [_give(stdio[number], number) for number in (0, 1, 2)]
        try:
            pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions)
        except OSError as error:
            raise Unavailable(f"runtime {prefix[0]}: {error.strerror}") from error
        _, status = os.waitpid(pid, 0)
        reason = self._reason()
        if status:
            self._fail(arguments[0], reason or f"status {os.waitstatus_to_exitcode(status)}")

    def _fail(self, command: str, reason: str) -> None:
        text = f"{os.path.basename(self._request.runtime[0])} {command}: {reason}"
        if command in ("create", "start", "exec") and classify(reason) != 128:
            raise ProcessFailed(text, classify(reason))
        if "does not exist" in reason and command == "delete":
            return
        raise Internal(text)

    def _reason(self) -> str:
        """The last error of the program's JSON log, which is then emptied."""
        log = read_optional(self._log) or b""
        if log:
            os.unlink(self._log)
        found = ""
        for line in log.splitlines():
            try:
                fields = json.loads(line)
            except ValueError:
                found = line.decode(errors="replace")
                continue
            if fields.get("level") in ("error", "fatal"):
                found = str(fields.get("msg", ""))
        return found


class ConsoleSocket:
    """Where a runtime program sends a terminal's master (runc's docs/terminals.md)."""

    def __init__(self, path: str) -> None:
        self._real = path
        self._folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.path = path
        if len(os.fsencode(path)) > 107:  # sockaddr_un; the program opens it through our /proc
            self.path = f"/proc/{os.getpid()}/fd/{self._folder}/{os.path.basename(path)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self) -> "ConsoleSocket":
        if os.path.exists(self._real):
            os.unlink(self._real)
        self._socket.bind(self.path)
        self._socket.listen(1)
        self._socket.settimeout(10)
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()
        os.close(self._folder)
        if os.path.exists(self._real):
            os.unlink(self._real)

    def receive(self) -> int:
        """The master; the program has sent it before it ended. Raises Internal."""
        connection, _ = self._socket.accept()
        with connection:
            return take_master(connection)


def take_master(connection: socket.socket) -> int:
    """The one descriptor that comes over a console socket. Raises Internal."""
    _, fds = fdpass.receive(connection)
    if len(fds) != 1:
        for fd in fds:
            os.close(fd)
        raise Internal(f"the runtime sent {len(fds)} descriptors instead of a terminal")
    return fds[0]


def _give(source: int, target: int) -> tuple[object, ...]:
    if source < 0:
        return (os.POSIX_SPAWN_OPEN, target, "/dev/null", os.O_RDWR, 0)
    return (os.POSIX_SPAWN_DUP2, source, target)


def _read_pid(path: str) -> int:
    content = read_optional(path)
    if not content:
        raise Internal(f"the runtime wrote no pid into {path}")
    return int(content)
