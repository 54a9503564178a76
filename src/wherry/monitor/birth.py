"""What is done in a child of the monitor: making and starting the container, execs.

```
monitor                                child
  │  fork ───────────────────────────►  │  mount namespace, rootfs, runtime's create
  │ ◄── pid, start time + descriptors   │  pidfd, namespaces, netlink, oom, terminal
  │  go on (at `start`) ─────────────►  │  runtime's start
  │ ◄── {} or the error                 │  leaves
```
"""

import contextlib
import os
import socket
from collections.abc import Callable
from typing import NamedTuple

from wherry.kit.errors import WherryError
from wherry.linux.cgroup.directory import Directory
from wherry.linux.cgroup.oom import OomEvents
from wherry.linux.process import pidfd_open, start_time
from wherry.monitor import files
from wherry.monitor.errand import Errand, Result, run, wait_to_go_on
from wherry.monitor.framing import Fields, Frame, send_blocking
from wherry.monitor.namespaces import attach_rootfs, detach_rootfs, netlink_inside, open_held
from wherry.monitor.protocol import ExecLaunch, Identity, LaunchRequest
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

    __slots__ = ("_errand", "born")

    def __init__(self, request: LaunchRequest, runtime: Runtime, stdio: Stdio | None) -> None:
        """Raises WherryError, OSError; nothing is left then."""

        def work(sock: socket.socket) -> None:
            fields, fds = _create(request, runtime, stdio)
            send_blocking(sock, fields, fds)
            for fd in fds:
                os.close(fd)
            if wait_to_go_on(sock):
                runtime.start()
                send_blocking(sock, {})

        self._errand = Errand(work, stdio or ())
        try:
            self.born = _born(self._errand.result())
        except (WherryError, OSError):
            self.close()
            raise

    def start(self) -> None:
        """Raises ProcessFailed, Conflict, …"""
        try:
            self._errand.ask()
        finally:
            self.close()

    def close(self) -> None:
        """There is nothing more to do for it."""
        self._errand.close()


def execute(runtime: Runtime, launch: ExecLaunch, stdio: Stdio | None) -> Spawned:
    """A further process. Raises ProcessFailed, Conflict, …"""

    def work() -> Result:
        return _spawned(runtime.execute(launch, stdio))

    return _read_spawned(run(work, stdio or ()))


def apart(work: Callable[[], None]) -> None:
    """Something of which only the errors matter."""

    def done() -> Result:
        work()
        return {}, ()

    run(done)


def _create(request: LaunchRequest, runtime: Runtime, stdio: Stdio | None) -> Result:
    files.prepare(request.exec_dir)
    files.write_record(request, None, os.getppid())
    attach_rootfs(request)
    try:
        started = runtime.create(stdio)
        fields, fds = _spawned(started)
        more, others = _surroundings(runtime, started.pid)
        files.write_record(request, Identity.from_fields(fields), os.getppid())
        return fields | more, [*fds, *others]
    except (WherryError, OSError):
        with contextlib.suppress(WherryError, OSError):
            runtime.delete()
        detach_rootfs(request)
        raise


def _spawned(started: Started) -> Result:
    fields: Fields = {"pid": started.pid, "start_time": start_time(started.pid)}
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
    with contextlib.suppress(OSError):
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
