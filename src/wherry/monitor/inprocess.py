"""Our own runtime, called as functions: no program is started, a container costs a few forks."""

import contextlib
import socket
from collections.abc import Callable, Iterator

from wherry.kit.errors import NotFound, WherryError
from wherry.linux.cgroup.layout import Layout
from wherry.linux.cgroup.oom import OomEvents
from wherry.monitor.failure import ProcessFailed
from wherry.monitor.protocol import ExecLaunch, LaunchRequest
from wherry.monitor.runtimes import Meanwhile, Started, Stdio, take_master
from wherry.runtime import control, state
from wherry.runtime.become import settle_child
from wherry.runtime.cgroups.placement import Placement
from wherry.runtime.cgroups.state import from_state
from wherry.runtime.create import create
from wherry.runtime.errors import BadWorkingDirectory, CommandNotExecutable, CommandNotFound
from wherry.runtime.execute import Target, execute, look_up
from wherry.runtime.request import CreateRequest, ExecRequest
from wherry.runtime.spec import parse_process

_CODES: tuple[tuple[type[WherryError], int], ...] = (
    (CommandNotFound, 127),
    (CommandNotExecutable, 126),
    (BadWorkingDirectory, 126),
)


class InProcess:
    """wherry.runtime; init has PDEATHSIG, so it needs no guard."""

    dies_with_us = True

    def __init__(self, request: LaunchRequest, layout: Layout | None = None) -> None:
        self._request = request
        self._layout = layout
        self._placed: Placement | None = None
        self._target: Target | None = None
        self._id = request.container_id
        self._root = request.state_root

    def create(self, stdio: Stdio | None, meanwhile: Meanwhile) -> Started:
        def born(pid: int, placed: Placement) -> None:
            self._placed = placed
            meanwhile(pid)

        def make(console: int | None) -> Started:
            state = create(
                CreateRequest(
                    self._id,
                    self._request.bundle,
                    self._root,
                    stdio,
                    console,
                    no_pivot=self._request.no_pivot,
                    die_with_parent=True,
                    for_parent=True,
                    layout=self._layout,
                    meanwhile=born,
                    filter_cache=self._request.filter_cache,
                )
            )
            return Started(state.pid, start_time=state.start_time)

        return _started(make, terminal=stdio is None)

    def start(self) -> None:
        with _typed():
            control.start(self._root, self._id)

    def expect_exec(self) -> None:
        self._target = look_up(self._root, self._id, self._request.filter_cache)
        settle_child()

    def execute(self, launch: ExecLaunch, stdio: Stdio | None) -> Started:
        process = parse_process(launch.process)

        def make(console: int | None) -> Started:
            made = execute(
                ExecRequest(
                    self._id,
                    self._root,
                    process,
                    stdio,
                    console,
                    die_with_parent=True,
                    for_parent=True,
                    one_id=self._request.one_id,
                    filter_cache=self._request.filter_cache,
                ),
                self._target,
            )
            return Started(made.pid, start_time=made.start_time)

        return _started(make, terminal=stdio is None)

    def kill(self, number: int, *, everyone: bool) -> None:
        control.kill(self._root, self._id, number, all=everyone)

    def delete(self) -> None:
        with contextlib.suppress(NotFound):
            control.delete(self._root, self._id, force=True)

    def status(self) -> str:
        return control.read_state(self._root, self._id).status

    def oom_events(self, init: int) -> OomEvents | None:
        del init
        placed = self._placed or from_state(state.load(self._root, self._id).cgroup)
        return placed.oom_events() if placed.version else None


def _started(make: Callable[[int | None], Started], *, terminal: bool) -> Started:
    with _typed():
        if not terminal:
            return make(None)
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                started = make(theirs.fileno())
            return started._replace(master=take_master(ours))


@contextlib.contextmanager
def _typed() -> Iterator[None]:
    """The runtime's errors about a program, as the ones that cross our socket."""
    try:
        yield
    except tuple(kind for kind, _ in _CODES) as error:
        code = next(code for kind, code in _CODES if isinstance(error, kind))
        raise ProcessFailed(str(error), code) from error
