"""The life of one container: made, started, ended, cleaned up."""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from wherry.kit.errors import Conflict, WherryError
from wherry.linux.cgroup.oom import OomEvents
from wherry.monitor import files, guard, logcompress
from wherry.monitor.birth import Birth, Spawned, apart
from wherry.monitor.choice import choose
from wherry.monitor.execs import Execs
from wherry.monitor.id_watch import IdWatch
from wherry.monitor.log import Log
from wherry.monitor.loop import IN, Loop
from wherry.monitor.namespaces import detach_rootfs
from wherry.monitor.process import Process, close_ours, close_theirs, make_pipes, resize
from wherry.monitor.protocol import Exit, LaunchRequest
from wherry.monitor.reaper import Reaper, exit_code
from wherry.monitor.runtimes import Runtime
from wherry.monitor.runtimes import Stdio as Streams
from wherry.monitor.stdio import Stdio

GRACE = 2.0
"""Seconds for output of processes that outlived init (only without a pid namespace of its own)."""
PATIENCE = 60.0
"""Seconds for clients to take what is left of the output."""
_KILL = 9

Tell = Callable[[dict[str, Any]], None]


class Container:
    """Owns init, log and execs; `on_gone` is called when nothing is left to do."""

    __slots__ = (
        "_birth", "_guard", "_helpers", "_ids", "_loop", "_reaper", "_runtime", "_tell", "execs",
        "exit", "log", "on_gone", "phase", "process", "request",
    )  # fmt: skip

    def __init__(
        self, loop: Loop, reaper: Reaper, request: LaunchRequest, birth: Birth, tell: Tell
    ) -> None:
        runtime: Runtime = choose(request)
        self._loop = loop
        self._reaper = reaper
        self._runtime = runtime
        self._tell = tell
        self._guard = 0
        self._helpers: set[int] = set()  # children of ours that are not the container's
        self._birth: Birth | None = birth
        self._ids: IdWatch | None = None
        self.request = request
        self.execs = Execs(loop, reaper, runtime, request.exec_dir, tell)
        self.exit: Exit | None = None
        self.log = Log(request.log, self._compress)
        self.log.on_lost(lambda why: self._tell({"event": "log_lost", "text": why}))
        self.on_gone: Callable[[], None] | None = None
        self.phase = "creating"
        self.process: Process | None = None

    def create(self) -> None:
        """Raises WherryError or OSError; nothing is left then."""
        self.log.connect()
        if self.request.one_id:
            self._ids = IdWatch(self._loop, self.request.exec_dir, self._helpers)
        process = self._terminal() if self.request.tty else self._piped()
        self._created(process)

    def descriptors(self) -> Sequence[int]:
        """pidfd of init, its network namespace, an rtnetlink socket inside that."""
        if self._birth is None or self.process is None:
            raise Conflict(f"container {self.request.container_id} has ended")
        return (self.process.pidfd, self._birth.born.net, self._birth.born.rtnetlink)

    def start(self) -> None:
        """Let the program begin. Raises Conflict, ProcessFailed."""
        if self.phase != "created" or self.process is None or self._birth is None:
            raise Conflict(f"container {self.request.container_id} is {self.phase}, not created")
        self.process.started = time.time_ns()
        self._birth.start()
        self.phase = "running"

    def give_up(self) -> None:
        """Who wanted the container is gone: one that was never started is of no use to anybody."""
        if self.phase == "created" and self.process is not None:
            self.process.kill(_KILL)

    def running(self) -> Process:
        """Init, where it lives. Raises Conflict."""
        if self.process is None or self.phase not in ("created", "running"):
            raise Conflict(f"container {self.request.container_id} is {self.phase}")
        return self.process

    def kill(self, number: int, *, everyone: bool) -> None:
        """A signal to init or to all processes. Raises Conflict."""
        if everyone:
            apart(lambda: self._runtime.kill(number, everyone=True))
        else:
            self.running().kill(number)

    def _create(self, stdio: Streams | None) -> Spawned:
        """Raises WherryError, OSError; there is no child then."""
        birth, self._birth = self._birth, None
        assert birth is not None
        birth.create(stdio)
        self._birth = birth
        return birth.born.init

    def _terminal(self) -> Process:
        init = self._create(None)
        if self.request.console_size != (0, 0):
            resize(init.master, *self.request.console_size)
        process = Process(init, self._stdio())
        process.stdio.open_terminal(init.master, stdin=self.request.open_stdin)
        return process

    def _piped(self) -> Process:
        pipes = make_pipes(stdin=self.request.open_stdin)
        try:
            init = self._create(pipes.theirs)
        except BaseException:
            close_ours(pipes)
            raise
        finally:
            close_theirs(pipes)
        process = Process(init, self._stdio())
        process.stdio.open(pipes.ours, pipes.stdin)
        return process

    def _stdio(self) -> Stdio:
        request = self.request
        stdio = Stdio(self._loop, self.log, tty=request.tty, once=request.stdin_once)
        stdio.on_detach = lambda attach: self._tell({"event": "detached", "attach": attach})
        return stdio

    def _created(self, process: Process) -> None:
        self.process = process
        self._reaper.expect(process.identity.pid, self._ended)
        if not self._runtime.dies_with_us:
            self._guard = guard.start(process.pidfd, self._runtime.delete)
            self._helpers.add(self._guard)
        if self._oom is not None:
            self._loop.watch(self._oom.fd, IN, lambda _events: self._oom_news())
        self.phase = "created"

    @property
    def _oom(self) -> OomEvents | None:
        """Without a memory cgroup of its own nothing is told, and `oom` stays False."""
        return self._birth.born.oom if self._birth else None

    def _oom_news(self) -> None:
        if self._oom is not None and self._oom.take():
            self._tell({"event": "oom"})

    def _compress(self, path: str, stamp: int, done: Callable[[], None]) -> None:
        pid = logcompress.start(path, stamp)
        self._helpers.add(pid)

        def ended(_status: int) -> None:
            self._helpers.discard(pid)
            done()

        self._reaper.expect(pid, ended)

    # the end, in this order: output, exit.json, those who wait, cgroups, clients

    def _ended(self, status: int) -> None:
        finished = time.time_ns()
        stdio = self.running().stdio
        self.phase = "stopping"
        self.execs.close()
        if not self.request.own_pid_namespace:
            self._end_the_others()
        stdio.ended()
        stdio.when_quiet(GRACE, lambda: self._drained(status, finished))

    def _end_the_others(self) -> None:
        """What init left behind: by the cgroup, or, where there is none, what became our child."""
        with contextlib.suppress(WherryError, OSError):
            apart(lambda: self._runtime.kill(_KILL, everyone=True))
        self._reaper.kill_all_but(self._helpers)

    def _drained(self, status: int, finished: int) -> None:
        if self.phase != "stopping" or self.process is None:
            return
        self.phase = "exited"
        self.process.stdio.finish_output()
        self._when_log_is_free(lambda: self._report(status, finished))

    def _when_log_is_free(self, call: Callable[[], None]) -> None:
        if self.log.busy and self.log.holds:
            self.log.on_free(call)
        else:
            call()

    def _report(self, status: int, finished: int) -> None:
        process = self.process
        if process is None or self.exit is not None:
            return
        code, number = exit_code(status)
        oom = self._oom is not None and self._oom.kills() > 0
        self.exit = Exit(code, number, oom, process.started, finished, self.log.lost)
        files.write_exit(self.request.exec_dir, self.exit)
        self._oom_news()
        self._tell({"event": "exit", "exit": self.exit.to_fields()})
        self.log.end()
        self._let_go()
        process.close()
        self._clean_up()
        process.stdio.on_empty = self._leave_if_done
        process.stdio.finish_clients()
        self._loop.later(PATIENCE, process.stdio.drop_clients)
        self._leave_if_done()

    def _clean_up(self) -> None:
        if self._guard:
            os.kill(self._guard, _KILL)
        try:
            self._delete()  # here, not apart: we leave soon, so our own memory may grow
        except (WherryError, OSError) as error:
            self._tell({"event": "cleanup_failed", "text": str(error)})

    def _delete(self) -> None:
        self._runtime.delete()
        detach_rootfs(self.request)

    def _let_go(self) -> None:
        """The namespaces may go now, and a child that still waits for `start`."""
        if self._ids is not None:
            self._ids.close()
        birth, self._birth = self._birth, None
        if birth is None:
            return
        if birth.born.oom is not None:
            self._loop.forget(birth.born.oom.fd)
        birth.close()
        birth.born.close()

    def _leave_if_done(self) -> None:
        process = self.process
        if process is None or process.stdio.has_clients or self.on_gone is None:
            return
        if self.log.busy:
            self.log.on_free(self._leave_if_done)
            return
        self.log.close()
        leave, self.on_gone = self.on_gone, None
        leave()
