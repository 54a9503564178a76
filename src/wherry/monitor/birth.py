"""What is done in a child of the monitor: making and starting the container, execs.

```
monitor                                child (often forked before there is a launch)
  │  launch ─────────────────────────►  │  mount namespace, rootfs
  │  stdio ──────────────────────────►  │  runtime's create
  │ ◄── pid, start time + descriptors   │  pidfd, namespaces, netlink, oom, terminal
  │  go on (at `start`) ─────────────►  │  runtime's start
  │ ◄── {} or the error                 │  leaves
```
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from wherry.kit.errors import Unsupported, WherryError
from wherry.linux.cgroup.directory import Directory
from wherry.linux.cgroup.layout import Layout, detect
from wherry.linux.cgroup.oom import OomEvents
from wherry.linux.process import pidfd_open, start_time
from wherry.monitor import files
from wherry.monitor.choice import choose
from wherry.monitor.errand import Errand, Orders, Result, run
from wherry.monitor.framing import Frame
from wherry.monitor.namespaces import attach_rootfs, detach_rootfs, netlink_inside, open_held
from wherry.monitor.protocol import ExecLaunch, Fields, Identity, LaunchRequest
from wherry.monitor.runtimes import Runtime, Started, Stdio


class Spawned(NamedTuple):
    """A process of the container. The descriptors are the holder's; -1 is none."""

    identity: Identity
    pidfd: int
    master: int = -1


class Born(NamedTuple):
    """A container that waits for start."""

    init: Spawned
    net: int
    rtnetlink: int
    held: tuple[int, ...]
    oom: OomEvents | None

    def close(self) -> None:
        """All but the pidfd and the terminal, which the process has."""
        for fd in (self.net, self.rtnetlink, *self.held):
            os.close(fd)
        if self.oom is not None:
            self.oom.close()


class Birth:
    """A container's creation, and its start when that is asked for."""

    __slots__ = ("_born", "_errand")

    def __init__(self) -> None:
        """Fork the child that will do it. Raises OSError."""
        self._errand = Errand(_bear)
        self._born: Born | None = None

    @property
    def born(self) -> Born:
        """What `create` made."""
        assert self._born is not None
        return self._born

    def expect(self, launch: Fields) -> None:
        """Tell it the launch request, so that it begins with what needs no streams.

        A child that was killed while it waited is replaced. Raises OSError.
        """
        if not self._errand.order({"launch": launch}):
            self._errand.close()
            self._errand = Errand(_bear)
            self._errand.order({"launch": launch})

    def create(self, stdio: Stdio | None) -> None:
        """Make it; no stdio means a terminal. Raises WherryError; nothing is left then."""
        self._errand.order({"terminal": stdio is None}, stdio or ())
        try:
            self._born = _born(self._errand.result())
        except (WherryError, OSError):
            self.close()
            raise

    def start(self) -> None:
        """Raises ProcessFailed, Conflict, …"""
        try:
            self._errand.order({"start": True})
            self._errand.result()
        finally:
            self.close()

    def close(self) -> None:
        """There is nothing more to do for it."""
        self._errand.close()


class ExecErrand:
    """A child that will run a further process in the container."""

    __slots__ = ("_errand", "_runtime")

    def __init__(self, runtime: Runtime) -> None:
        """Fork it. Raises OSError."""
        self._runtime = runtime
        self._errand = self._fork()

    def _fork(self) -> Errand:
        runtime = self._runtime

        def work(orders: Orders) -> None:
            runtime.expect_exec()
            order = orders.next()
            if order is not None:
                launch = ExecLaunch.from_fields(order.fields["exec"])
                stdio = None if order.fields["terminal"] else _three(order.fds)
                orders.answer(*_spawned(runtime.execute(launch, stdio)))

        return Errand(work)

    def execute(self, launch: ExecLaunch, stdio: Stdio | None) -> Spawned:
        """Run it, and be done. Raises ProcessFailed, Conflict, …"""
        try:
            order = {"exec": launch.to_fields(), "terminal": stdio is None}
            if not self._errand.order(order, stdio or ()):  # killed while it waited
                self._errand.close()
                self._errand = self._fork()
                self._errand.order(order, stdio or ())
            return _read_spawned(self._errand.result())
        finally:
            self.close()

    def close(self) -> None:
        """End a child that still waits."""
        self._errand.close()


def apart(work: Callable[[], None]) -> None:
    """Something of which only the errors matter."""

    def done() -> Result:
        work()
        return {}, ()

    run(done)


def _bear(orders: Orders) -> None:
    """The child's whole life."""
    layout = _layout()
    order = orders.next()
    if order is None:  # the monitor was never needed
        return
    request = LaunchRequest.from_fields(order.fields["launch"])
    runtime = choose(request, layout)
    fields, fds = _create(request, runtime, orders)
    orders.answer(fields, fds)
    for fd in fds:
        os.close(fd)
    if orders.next() is not None:
        runtime.start()
        orders.answer({})


def _layout() -> Layout | None:
    """Looked at while there is time; where it cannot be, the runtime says what is wrong."""
    try:
        return detect()
    except OSError:
        return None


def _create(request: LaunchRequest, runtime: Runtime, orders: Orders) -> Result:
    files.prepare(request.exec_dir)
    files.write_record(request, None, os.getppid())
    attach_rootfs(request)
    try:
        return _created(request, runtime, orders)
    except (WherryError, OSError):
        with contextlib.suppress(WherryError, OSError):
            runtime.delete()
        detach_rootfs(request)
        raise


def _created(request: LaunchRequest, runtime: Runtime, orders: Orders) -> Result:
    order = orders.next()
    if order is None:
        raise BrokenPipeError
    stdio = None if order.fields["terminal"] else _three(order.fds)
    around: list[Result] = []
    started = runtime.create(stdio, lambda pid: around.append(_surroundings(runtime, pid)))
    for fd in set(stdio or ()):
        os.close(fd)
    fields, fds = _spawned(started)
    more, others = around[0]
    files.write_record(request, Identity.from_fields(fields), os.getppid())
    return fields | more, [*fds, *others]


def _three(fds: Sequence[int]) -> Stdio:
    stdin, stdout, stderr = fds
    return (stdin, stdout, stderr)


def _spawned(started: Started) -> Result:
    began = started.start_time or start_time(started.pid)
    fields: Fields = {"pid": started.pid, "start_time": began}
    fds = [pidfd_open(started.pid)]
    if started.master >= 0:
        fields["terminal"] = True
        fds.append(started.master)
    return fields, fds


def _surroundings(runtime: Runtime, init: int) -> Result:
    """Namespaces, netlink, and news of memory that ran out, where a plain user may have that."""
    held = open_held(init)
    fds = [netlink_inside(held["net"]).detach(), held.pop("net"), *held.values()]
    fields: Fields = {"held": len(held)}
    oom: OomEvents | None = None
    with contextlib.suppress(OSError, Unsupported):
        oom = runtime.oom_events(init)
    if oom is not None:
        event, directory, fields["oom"] = oom.parts()
        fds += (event, directory)
    return fields, fds


def _read_spawned(frame: Frame) -> Spawned:
    master = frame.fds[1] if frame.fields.get("terminal") else -1
    return Spawned(Identity.from_fields(frame.fields), frame.fds[0], master)


def _born(frame: Frame) -> Born:
    fields, init = frame.fields, _read_spawned(frame)
    rtnetlink, net, *rest = frame.fds[2 if fields.get("terminal") else 1 :]
    held, last = tuple(rest[: fields["held"]]), rest[fields["held"] :]
    oom = None
    if last:
        oom = OomEvents(last[0], Directory(last[1], ""), fields["oom"])
    return Born(init, net, rtnetlink, held, oom)
