"""A placement of our own on this machine's hierarchies, and children to put into it."""

import itertools
import os
import signal
import traceback
from collections.abc import Callable, Iterator

import pytest

from wherry.linux.cgroup import directory as directories
from wherry.linux.cgroup.layout import Layout, detect
from wherry.runtime.cgroups.kill import kill_all
from wherry.runtime.cgroups.placement import Placement, placement

PARENT = f"wherry-cgroup-{os.getpid()}"
_numbers = itertools.count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture(scope="session")
def layout() -> Layout:
    return detect()


@pytest.fixture
def placed(layout: Layout) -> Iterator[Placement]:
    """A placement that does not exist yet; whatever is in it afterwards is killed."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    made = placement(f"/{PARENT}/{next(_numbers)}", "x", rootless=False, layout=layout)
    try:
        yield made
    finally:
        if made.frozen():
            made.thaw()
        kill_all(made)
        made.remove()
        for hierarchy in (*layout.v1, *([layout.unified] if layout.unified else [])):
            directories.remove(hierarchy.mountpoint, PARENT)


class Children:
    """Forked processes; the rest is killed and reaped at the end."""

    def __init__(self) -> None:
        self.pids: list[int] = []

    def fork(self, work: Callable[[], object]) -> int:
        """Exit code 0, or 99 after an exception that the child prints."""
        pid = os.fork()
        if pid == 0:
            try:
                work()
                os._exit(0)
            except BaseException:  # noqa: BLE001 - a child never returns into the test run
                traceback.print_exc()
            finally:
                os._exit(99)
        self.pids.append(pid)
        return pid

    def inside(self, placed: Placement, work: Callable[[], object]) -> int:
        """A child that joins by itself and tells before it works."""
        reading, writing = os.pipe()

        def joined() -> None:
            placed.join(None)
            os.write(writing, b"x")
            work()

        pid = self.fork(joined)
        os.close(writing)
        assert os.read(reading, 1) == b"x", "the child could not join; see its traceback above"
        os.close(reading)
        return pid

    def wait(self, pid: int) -> int:
        """The exit code, or minus the signal."""
        _, status = os.waitpid(pid, 0)
        self.pids.remove(pid)
        return os.waitstatus_to_exitcode(status)


@pytest.fixture
def children() -> Iterator[Children]:
    made = Children()
    yield made
    for pid in list(made.pids):
        os.kill(pid, signal.SIGKILL)
        made.wait(pid)
