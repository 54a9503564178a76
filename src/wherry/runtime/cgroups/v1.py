"""A container's groups in the hierarchies of cgroup v1, and of v1 with v2 beside it (hybrid).

The same relative path is used in every hierarchy. The unified hierarchy of a hybrid layout is used
only for what v1 does not have here (often hugetlb).

Cost, measured on kernel 6.18: the first write to a `cgroup.procs`, or of another process's id to a
`tasks`, waits 5-14 ms for a grace period; a thread that writes 0 to `tasks`, that is itself, takes
no global lock and needs 0.1 ms for all hierarchies. So `join(None)`, called by a process with one
thread on itself, is the fast way in.
"""

import contextlib
import os
import time
from contextlib import ExitStack

from wherry.kit.errors import Conflict, InvalidInput, Unavailable, Unsupported
from wherry.linux.cgroup import directory as directories
from wherry.linux.cgroup.directory import Directory
from wherry.linux.cgroup.oom import OomEvents, watch_v1
from wherry.runtime.cgroups import stats_v1, stats_v2
from wherry.runtime.cgroups.group import Group, enable_controllers, refuse_occupied
from wherry.runtime.cgroups.plan_v1 import plan_v1
from wherry.runtime.cgroups.plan_v2 import plan_v2
from wherry.runtime.cgroups.stats import HugepageStats, IoStats, MemoryStats, PidsStats, Stats
from wherry.runtime.cgroups.writes import Write, carry_out
from wherry.runtime.resources import Resources

_FREEZE_ROUNDS = 500
_FOR_PIDS = ("freezer", "pids", "memory", "devices", "cpu")


class PlacementV1:
    """See wherry.runtime.cgroups.placement.Placement."""

    __slots__ = ("groups", "unified")

    version = 1

    def __init__(self, groups: list[Group], unified: Group | None) -> None:
        self.groups = groups
        self.unified = unified

    def create(self, resources: Resources) -> list[str]:
        """Make the directories and set the limits; nothing stays behind on failure."""
        plans = _split(self.groups, self.unified, plan_v1(resources), resources)
        refuse_occupied(self.groups[0], self.pids())
        try:
            for group, writes in plans:
                if group is not self.unified:
                    prepare = _inherit_cpuset if "cpuset" in group.hierarchy.controllers else None
                    with group.create(prepare) as directory:
                        carry_out(directory, writes)
                elif writes:
                    with group.create(enable_controllers) as directory:
                        carry_out(directory, writes)
        except BaseException:
            with contextlib.suppress(OSError, Conflict):  # the first failure is the one to tell
                self.remove()
            raise
        return []

    def join(self, pid: int | None, below: str = "") -> None:
        """Move a process in; None is the caller, which must have a single thread."""
        file, value = ("tasks", "0") if pid is None else ("cgroup.procs", str(pid))
        for group in self.groups:
            with group.open(below) as directory:
                directory.write(file, value)
        if self.unified is not None and self.unified.exists():
            with self.unified.open(below) as directory:
                directory.write("cgroup.procs", value)

    def apply(self, resources: Resources) -> list[str]:
        """Change the limits; what is None in `resources` stays as it is."""
        plans = _split(self.groups, self.unified, plan_v1(resources), resources)
        for group, writes in plans:
            if group is self.unified and writes and not group.exists():
                self._enter_unified(group)
            if writes:
                with group.open() as directory:
                    carry_out(directory, writes)
        return []

    def freeze(self) -> None:
        """Stop all processes. Raises Unsupported, Unavailable; then they run again."""
        with _group(self.groups, "freezer").open() as directory:
            for attempt in range(_FREEZE_ROUNDS):
                directory.write("freezer.state", "FROZEN")
                if directory.read("freezer.state").strip() == "FROZEN":
                    return
                # a process that forks meanwhile can keep the state at FREEZING; let it get on
                if attempt % 50 == 49:
                    directory.write("freezer.state", "THAWED")
                    time.sleep(0.01)
                time.sleep(0.0002)
            directory.write("freezer.state", "THAWED")
        raise Unavailable(f"the processes of cgroup {directory.path} cannot be frozen; try again")

    def thaw(self) -> None:
        """Let the processes run again."""
        with _group(self.groups, "freezer").open() as directory:
            directory.write("freezer.state", "THAWED")

    def frozen(self) -> bool:
        """Whether the container itself was frozen (not a group above it)."""
        freezer = _find(self.groups, "freezer")
        if freezer is None or not freezer.exists():
            return False
        with freezer.open() as directory:
            return directory.read("freezer.self_freezing").strip() == "1"

    def pids(self) -> list[int]:
        """All processes, those in groups below included."""
        found = (_find(self.groups, controller) for controller in _FOR_PIDS)
        group = next((each for each in found if each is not None), self.groups[0])
        try:
            with group.open() as directory:
                return directories.processes(directory)
        except FileNotFoundError:
            return []

    def stats(self) -> Stats:
        """What was used so far. Raises OSError when the groups are gone."""
        with ExitStack() as stack:

            def entered(controller: str) -> Directory | None:
                group = _find(self.groups, controller)
                return None if group is None else stack.enter_context(group.open())

            memory, pids, blkio = entered("memory"), entered("pids"), entered("blkio")
            return Stats(
                version=1,
                cpu=stats_v1.read_cpu(entered("cpu"), entered("cpuacct")),
                memory=MemoryStats() if memory is None else stats_v1.read_memory(memory),
                pids=PidsStats() if pids is None else stats_v1.read_pids(pids),
                io=IoStats() if blkio is None else stats_v1.read_io(blkio),
                hugepages=_hugepages(entered("hugetlb"), self.unified),
            )

    def oom_events(self) -> OomEvents:
        """Watch for out-of-memory kills; the caller closes it."""
        directory = _group(self.groups, "memory").open()
        try:
            return watch_v1(directory)
        except BaseException:
            directory.close()
            raise

    def remove(self) -> None:
        """Remove the directories with all below; those that are gone are no error."""
        failure: Exception | None = None
        for group in [*self.groups, *([self.unified] if self.unified else [])]:
            try:
                mountpoint, path = group.hierarchy.mountpoint, group.path
                directories.remove(mountpoint, path, wait=failure is None)
            except (OSError, Conflict) as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def _enter_unified(self, unified: Group) -> None:
        """An update asks for what only the unified hierarchy has: the processes follow."""
        with unified.create(enable_controllers) as directory:
            for pid in self.pids():
                directory.write("cgroup.procs", str(pid))


def rename(placement: PlacementV1, name: str) -> None:
    """Give the groups another last name: how a parked slot becomes a container (0.03 ms each).

    v1 only, and only within the same parent: the kernel knows no other rename. Raises
    Unsupported where the unified hierarchy is in use, InvalidInput, OSError.
    """
    if "/" in name or not directories.checked(name):
        raise InvalidInput(f"cgroup name {name!r}: a name without slashes is needed")
    if placement.unified is not None and placement.unified.exists():
        raise Unsupported("groups in the unified hierarchy cannot be renamed")
    for group in placement.groups:
        parent, _, old = group.path.rpartition("/")
        with Directory.open(group.hierarchy.mountpoint, parent) as above:
            os.rename(old, name, src_dir_fd=above.fd, dst_dir_fd=above.fd)
        group.path = directories.checked(f"{parent}/{name}")


Plans = list[tuple[Group, list[Write]]]


def _split(
    groups: list[Group], unified: Group | None, writes: list[Write], resources: Resources
) -> Plans:
    """The writes for each group. Raises Unsupported for a controller that is nowhere."""
    plans: Plans = [(group, []) for group in groups]
    elsewhere: set[str] = set()
    for write in writes:
        for group, chosen in plans:
            if write.controller in group.hierarchy.controllers:
                chosen.append(write)
                break
        else:
            elsewhere.add(write.controller)
    if not elsewhere:
        return plans
    missing = elsewhere - (unified.hierarchy.controllers if unified else frozenset())
    if missing or unified is None:
        raise Unsupported(f"cgroup controllers that limits need are not mounted: {_names(missing)}")
    others = [write for write in plan_v2(resources) if write.controller in elsewhere]
    return [*plans, (unified, others)]


def _names(controllers: set[str]) -> str:
    return ", ".join(sorted(controllers))


def _find(groups: list[Group], controller: str) -> Group | None:
    return next((each for each in groups if controller in each.hierarchy.controllers), None)


def _group(groups: list[Group], controller: str) -> Group:
    found = _find(groups, controller)
    if found is None:
        raise Unsupported(f"the cgroup controller {controller!r} is not mounted")
    return found


def _inherit_cpuset(parent: Directory, child: Directory) -> None:
    """A new cpuset of v1 has no processors and no memory nodes, and nothing can enter it."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not child.read(name).strip():
            child.write(name, parent.read(name).strip())


def _hugepages(hugetlb: Directory | None, unified: Group | None) -> tuple[HugepageStats, ...]:
    if hugetlb is not None:
        return stats_v1.read_hugepages(hugetlb)
    if unified is None or not unified.exists():
        return ()
    with unified.open() as directory:
        return stats_v2.read_hugepages(directory)
