"""A container's group in the unified hierarchy (cgroup v2).

The cheap way in is `clone3` with CLONE_INTO_CGROUP and the descriptor of `descriptor()`: moving a
process that already exists waits 5-10 ms for a grace period.
"""

import contextlib
import os
import select
import time

from wherry.kit.errors import Conflict, InvalidInput, Unavailable, Unsupported
from wherry.linux import bpf
from wherry.linux.cgroup import directory as directories
from wherry.linux.cgroup.directory import Directory
from wherry.linux.cgroup.oom import OomEvents, watch_v2
from wherry.runtime.cgroups.devices import device_program
from wherry.runtime.cgroups.group import Group, enable_controllers, refuse_occupied
from wherry.runtime.cgroups.plan_v2 import ignored_on_v2, plan_v2
from wherry.runtime.cgroups.stats import Stats, flat_keyed
from wherry.runtime.cgroups.stats_v2 import read_stats
from wherry.runtime.cgroups.writes import carry_out
from wherry.runtime.resources import DeviceRule, Memory, Resources

_FREEZE_SECONDS = 10.0


class PlacementV2:
    """See wherry.runtime.cgroups.placement.Placement.

    `filter_devices` is False for plain users: the kernel lets only root attach device programs, and
    in a user namespace no device node can be made.
    """

    __slots__ = ("filter_devices", "group")

    version = 2

    def __init__(self, group: Group, *, filter_devices: bool) -> None:
        self.group = group
        self.filter_devices = filter_devices

    def create(self, resources: Resources) -> list[str]:
        """Make the directory and set the limits; nothing stays behind on failure."""
        writes = plan_v2(resources)
        refuse_occupied(self.group, self.pids())
        try:
            with self.group.create(enable_controllers) as directory:
                _refuse_threaded(directory)
                carry_out(directory, writes)
                self._set_devices(directory, resources.devices)
        except BaseException:
            with contextlib.suppress(OSError, Conflict):  # the first failure is the one to tell
                self.remove()
            raise
        return ignored_on_v2(resources)

    def descriptor(self, below: str = "", beside: int | None = None) -> int:
        """A directory descriptor for CLONE_INTO_CGROUP; see placement.clone_descriptor."""
        directory = self.group.open(below)
        if below or beside is None or not _is_inner(directory):
            return directory.fd
        with directory:
            return self.group.open(_below(self.group, beside)).fd

    def join(self, pid: int | None, below: str = "") -> None:
        """Move a process in; None is the caller."""
        with self.group.open(below) as directory:
            directory.write("cgroup.procs", "0" if pid is None else str(pid))

    def apply(self, resources: Resources) -> list[str]:
        """Change the limits; what is None in `resources` stays as it is."""
        with self.group.open() as directory:
            if resources.memory.check_before_update:
                _refuse_below_usage(directory, resources.memory)
            carry_out(directory, plan_v2(resources))
            self._set_devices(directory, resources.devices)
        return ignored_on_v2(resources)

    def freeze(self) -> None:
        """Stop all processes and wait until they stand. Raises Unavailable; then they run again."""
        with self.group.open() as directory:
            directory.write("cgroup.freeze", "1")
            if not _wait_frozen(directory):
                directory.write("cgroup.freeze", "0")
                raise Unavailable(
                    f"the processes of cgroup {directory.path} did not stop in "
                    f"{_FREEZE_SECONDS:.0f} seconds; try again"
                )

    def thaw(self) -> None:
        """Let the processes run again."""
        with self.group.open() as directory:
            directory.write("cgroup.freeze", "0")

    def frozen(self) -> bool:
        """Whether the container itself was frozen (not a group above it)."""
        if not self.group.exists():
            return False
        with self.group.open() as directory:
            return directory.has("cgroup.freeze") and directory.read("cgroup.freeze") == "1\n"

    def pids(self) -> list[int]:
        """All processes, those in groups below included."""
        try:
            with self.group.open() as directory:
                return directories.processes(directory)
        except FileNotFoundError:
            return []

    def stats(self) -> Stats:
        """What was used so far. Raises OSError when the group is gone."""
        with self.group.open() as directory:
            return read_stats(directory)

    def oom_events(self) -> OomEvents:
        """Watch for out-of-memory kills; the caller closes it. Raises Unsupported, OSError."""
        directory = self.group.open()
        try:
            if not directory.has("memory.events"):
                raise Unsupported(f"cgroup {directory.path} does not have the memory controller")
            return watch_v2(directory)
        except BaseException:
            directory.close()
            raise

    def remove(self) -> None:
        """Remove the directory with all below; one that is gone is no error."""
        directories.remove(self.group.hierarchy.mountpoint, self.group.path)

    def _set_devices(self, directory: Directory, rules: tuple[DeviceRule, ...]) -> None:
        if not rules or not self.filter_devices:
            return
        program = bpf.load_device_program(device_program(rules))
        try:
            bpf.attach_device_program(directory.fd, program)
        finally:
            os.close(program)


def _is_inner(directory: Directory) -> bool:
    """Whether its children have controllers, so that it can have no processes itself."""
    return bool(directory.read("cgroup.subtree_control").strip())


def _below(group: Group, pid: int) -> str:
    """Where a process is, below the group; "" where it is not inside."""
    with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
        places = [line.rstrip("\n").split(":", 2)[2] for line in file if line.startswith("0::")]
    path = places[0].strip("/") if places else ""
    inside = f"{group.path}/"
    return path.removeprefix(inside) if path.startswith(inside) else ""


def _refuse_threaded(directory: Directory) -> None:
    """Processes in a parent group make its children threaded, which no container can use."""
    kind = directory.read("cgroup.type").strip()
    if kind != "domain":
        raise Unsupported(
            f"cgroup {directory.path} is {kind!r} and not 'domain': a group above it has "
            "processes or is threaded; use another --cgroup-parent"
        )


def _refuse_below_usage(directory: Directory, memory: Memory) -> None:
    """memory.max below the usage would make the kernel kill; v1 refuses by itself."""
    if not memory.limit or memory.limit < 0:
        return
    used = int(directory.read("memory.current"))
    if memory.limit < used:
        raise InvalidInput(f"memory limit {memory.limit} is below the {used} bytes in use")


def _wait_frozen(directory: Directory) -> bool:
    """cgroup.events signals a change by POLLPRI; `frozen 1` comes once every task stands."""
    deadline = time.monotonic() + _FREEZE_SECONDS
    descriptor = os.open("cgroup.events", os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory.fd)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLPRI)
        while True:
            if flat_keyed(os.pread(descriptor, 4096, 0).decode()).get("frozen") == 1:
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            poll.poll(min(left, 1.0) * 1000)
    finally:
        os.close(descriptor)
