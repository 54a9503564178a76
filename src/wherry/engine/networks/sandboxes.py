"""The network namespace of a container that runs."""

import contextlib
import os
from collections.abc import Iterator

from wherry.engine.containers.container import Container
from wherry.kit.errors import Conflict
from wherry.linux import process as processes
from wherry.network.driver import Sandbox


class HasEnded(Conflict):
    """The container ended while it was looked at."""


@contextlib.contextmanager
def opened(container: Container) -> Iterator[Sandbox]:
    """A running container's namespace, closed at the end. Raises HasEnded."""
    pid = container.state.pid
    try:
        descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise HasEnded(f"container {container.id} is not running") from error
    try:
        _check_same(container, pid)
        yield Sandbox(descriptor, -1, pid)
    finally:
        os.close(descriptor)


def _check_same(container: Container, pid: int) -> None:
    """The number may belong to another process by now: its start time tells."""
    monitor = container.monitor
    init = monitor.hello["init"] if monitor is not None else {}
    started = init.get("start_time") if isinstance(init, dict) else None
    try:
        alive = started is None or processes.start_time(pid) == int(started)
    except ProcessLookupError:
        alive = False
    if not alive:
        raise HasEnded(f"container {container.id} is not running")
