"""Further processes in the container."""

import contextlib
import re
import socket
import time
from collections.abc import Callable
from typing import Any

from wherry.kit.errors import Conflict, InvalidInput, NotFound
from wherry.monitor.birth import ExecErrand, Spawned
from wherry.monitor.client import Client
from wherry.monitor.files import write_exec_exit
from wherry.monitor.loop import Loop
from wherry.monitor.process import Pipes, Process, close_ours, close_theirs, make_pipes, resize
from wherry.monitor.protocol import AttachOptions, ExecLaunch, Exit
from wherry.monitor.reaper import Reaper, exit_code
from wherry.monitor.runtimes import Runtime
from wherry.monitor.runtimes import Stdio as Streams
from wherry.monitor.stdio import Stdio

GRACE = 2.0
"""Seconds for output that a process left behind still sends after the exec itself has ended."""

READY = 5.0
"""Seconds that a child waits for the next exec: it holds memory of its own."""
QUIET = 0.02
"""Seconds after an exec until the next child is forked, so that it holds up nobody."""

Tell = Callable[[dict[str, Any]], None]
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


class Execs:
    """Starts them, knows them until their last client has gone."""

    __slots__ = ("_closed", "_exec_dir", "_loop", "_processes", "_reaper", "_runtime", "_tell",
                 "_waiting")  # fmt: skip

    def __init__(
        self, loop: Loop, reaper: Reaper, runtime: Runtime, exec_dir: str, tell: Tell
    ) -> None:
        self._loop = loop
        self._reaper = reaper
        self._runtime = runtime
        self._exec_dir = exec_dir
        self._tell = tell
        self._processes: dict[str, Process] = {}
        self._waiting: ExecErrand | None = None
        self._closed = False

    def expect(self) -> None:
        """There will be an exec soon: what can be done before it is known is done meanwhile."""
        if self._waiting is None:
            waiting = self._waiting = ExecErrand(self._runtime)
            self._loop.later(READY, lambda: self._forget(waiting))

    def close(self) -> None:
        """No more execs."""
        self._closed = True
        if self._waiting is not None:
            self._forget(self._waiting)

    def _forget(self, errand: ExecErrand) -> None:
        if self._waiting is errand:
            errand.close()
            self._waiting = None

    def _execute(self, launch: ExecLaunch, stdio: Streams | None) -> Spawned:
        errand = self._waiting or ExecErrand(self._runtime)
        self._waiting = None
        self._loop.later(QUIET, self._expect_again)
        return errand.execute(launch, stdio)

    def _expect_again(self) -> None:
        """Who has run one often runs another. Without a fork the next one is only slower."""
        if not self._closed:
            with contextlib.suppress(OSError):
                self.expect()

    def launch(self, launch: ExecLaunch, sock: socket.socket | None) -> Process:
        """Start one. Raises ProcessFailed, Conflict, InvalidInput; the socket is then untouched."""
        if not _ID.fullmatch(launch.exec_id):
            raise InvalidInput(f"exec id {launch.exec_id!r}: letters, digits, _ . - are allowed")
        if launch.exec_id in self._processes:
            raise Conflict(f"exec {launch.exec_id} runs already")
        process = self._terminal(launch) if launch.tty else self._piped(launch)
        process.started = time.time_ns()
        self._processes[launch.exec_id] = process
        self._reaper.expect(
            process.identity.pid, lambda status: self._ended(launch.exec_id, process, status)
        )
        if sock is not None and launch.attach is not None:
            process.stdio.on_detach = lambda _: self._detached(launch.exec_id)
            options = launch.attach._replace(stream=True)
            process.stdio.join(Client(self._loop, sock, options, process.stdio, launch.exec_id))
        return process

    def get(self, exec_id: str) -> Process:
        """Raises NotFound."""
        process = self._processes.get(exec_id)
        if process is None:
            raise NotFound(f"no exec {exec_id} is running")
        return process

    def running(self) -> list[str]:
        """The ids of those that have not ended."""
        return list(self._processes)

    def _terminal(self, launch: ExecLaunch) -> Process:
        started = self._execute(launch, None)
        if launch.console_size != (0, 0):
            resize(started.master, *launch.console_size)
        process = Process(started, Stdio(self._loop, None, tty=True, once=True))
        process.stdio.open_terminal(started.master, stdin=launch.open_stdin)
        return process

    def _piped(self, launch: ExecLaunch) -> Process:
        wanted = launch.attach or AttachOptions(stdout=False, stderr=False)
        pipes: Pipes = make_pipes(
            stdin=launch.open_stdin, stdout=wanted.stdout, stderr=wanted.stderr
        )
        try:
            started = self._execute(launch, pipes.theirs)
        except BaseException:
            close_ours(pipes)
            raise
        finally:
            close_theirs(pipes)
        process = Process(started, Stdio(self._loop, None, tty=False, once=True))
        process.stdio.open(pipes.ours, pipes.stdin)
        return process

    def _detached(self, exec_id: str) -> None:
        self._tell({"event": "detached", "exec": exec_id})

    def _ended(self, exec_id: str, process: Process, status: int) -> None:
        code, number = exit_code(status)
        finished = time.time_ns()

        def tell() -> None:
            if self._processes.pop(exec_id, None) is None:
                return
            process.stdio.finish_output()
            exit_ = Exit(code, number, False, process.started, finished)
            write_exec_exit(self._exec_dir, exec_id, exit_)
            self._tell({"event": "exec_exit", "exec": exec_id, "exit": exit_.to_fields()})
            process.stdio.finish_clients()
            process.close()

        process.stdio.ended()
        process.stdio.when_quiet(GRACE, tell)
