"""No cgroup: plain users without a delegated group.

Limits cannot be had and are reported, never faked. What a container uses is added up from /proc
over the processes of its pid namespace, which also is what it consists of.
"""

import os

from wherry.kit.errors import Unsupported
from wherry.linux.cgroup.oom import OomEvents
from wherry.runtime.cgroups.stats import CpuStats, MemoryStats, PidsStats, Stats
from wherry.runtime.cgroups.support import NOTHING, discard_unsupported
from wherry.runtime.resources import Resources

_NO_GROUP = "this container has no cgroup (plain user without a delegated one)"
_USER, _SYSTEM, _THREADS, _RESIDENT = 11, 12, 17, 21
"""Fields of /proc/PID/stat, counted behind the name: 14, 15, 20 and 24 of proc(5)."""


class PlacementNone:
    """See wherry.runtime.cgroups.placement.Placement; `init` is the container's first process."""

    __slots__ = ("init",)

    version = 0

    def __init__(self, init: int | None = None) -> None:
        self.init = init

    def create(self, resources: Resources) -> list[str]:
        """Nothing to make; a warning for each limit that was asked for."""
        return discard_unsupported(resources, NOTHING)[1]

    def join(self, pid: int | None, below: str = "") -> None:
        """Remember the first process that would be moved; None is the caller."""
        del below
        if self.init is None:
            self.init = os.getpid() if pid is None else pid

    def apply(self, resources: Resources) -> list[str]:
        """Nothing to change; a warning for each limit that was asked for."""
        return discard_unsupported(resources, NOTHING)[1]

    def freeze(self) -> None:
        """Raises Unsupported: stop signals would be seen inside, which a pause must not be."""
        raise Unsupported(f"pause needs a freezer: {_NO_GROUP}")

    def thaw(self) -> None:
        """Nothing was frozen."""

    def frozen(self) -> bool:
        """Never."""
        return False

    def pids(self) -> list[int]:
        """Processes of the first process's pid namespace and of those below it that we may see."""
        if self.init is None:
            return []
        return processes_like(self.init)

    def stats(self) -> Stats:
        """Added up from /proc; the times of processes that ended are those their parents got."""
        return add_up(self.pids())

    def oom_events(self) -> OomEvents:
        """Raises Unsupported."""
        raise Unsupported(f"out-of-memory kills cannot be watched: {_NO_GROUP}")

    def remove(self) -> None:
        """Nothing to remove."""


def processes_like(pid: int) -> list[int]:
    """Processes in the same pid namespace as `pid`. Empty when it has none of its own, or is gone.

    A container that shares the host's pid namespace cannot be told from the rest this way.
    """
    try:
        namespace = os.readlink(f"/proc/{pid}/ns/pid")
        if namespace == os.readlink("/proc/self/ns/pid"):
            return [pid]
    except OSError:
        return []
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.readlink(f"/proc/{name}/ns/pid") == namespace:
                    found.append(int(name))
            except OSError:  # ended meanwhile, or another user's
                continue
    return sorted(found)


def add_up(pids: list[int]) -> Stats:
    """Times, resident memory and threads of these processes."""
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    page = os.sysconf("SC_PAGE_SIZE")
    user = system = threads = resident = 0
    for pid in pids:
        fields = _fields(pid)
        if fields:
            user += int(fields[_USER]) + int(fields[_USER + 2])
            system += int(fields[_SYSTEM]) + int(fields[_SYSTEM + 2])
            threads += int(fields[_THREADS])
            resident += int(fields[_RESIDENT])
    return Stats(
        version=0,
        cpu=CpuStats((user + system) * tick, user * tick, system * tick),
        memory=MemoryStats(usage=resident * page),
        pids=PidsStats(threads),
    )


def _fields(pid: int) -> list[str]:
    """Fields of /proc/PID/stat behind the name, which may contain anything."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []
