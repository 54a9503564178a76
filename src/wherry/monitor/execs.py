"""Further processes in the container."""

import re
import socket
import time
from collections.abc import Callable
from typing import Any

from wherry.kit.errors import Conflict, InvalidInput, NotFound
from wherry.monitor.birth import execute
from wherry.monitor.client import Client
from wherry.monitor.files import write_exec_exit
from wherry.monitor.loop import Loop
from wherry.monitor.process import Pipes, Process, close_ours, close_theirs, make_pipes, resize
from wherry.monitor.protocol import AttachOptions, ExecLaunch, Exit
from wherry.monitor.reaper import Reaper, exit_code
from wherry.monitor.runtimes import Runtime
from wherry.monitor.stdio import Stdio

GRACE = 2.0
"""Seconds for output that a process left behind still sends after the exec itself has ended."""

Tell = Callable[[dict[str, Any]], None]
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


class Execs:
    """Starts them, knows them until their last client has gone."""

    __slots__ = ("_exec_dir", "_loop", "_processes", "_reaper", "_runtime", "_tell")

    def __init__(
        self, loop: Loop, reaper: Reaper, runtime: Runtime, exec_dir: str, tell: Tell
    ) -> None:
        self._loop = loop
        self._reaper = reaper
        self._runtime = runtime
        self._exec_dir = exec_dir
        self._tell = tell
        self._processes: dict[str, Process] = {}

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
        started = execute(self._runtime, launch, None)
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
            started = execute(self._runtime, launch, pipes.theirs)
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
