"""The runtime specification's configuration as values (runtime-spec 1.3, config.md, Linux part)."""

from typing import NamedTuple

from wherry.linux.namespace import IdMap
from wherry.runtime.resources import Resources

NAMESPACES = {
    "user": "user",
    "cgroup": "cgroup",
    "ipc": "ipc",
    "uts": "uts",
    "network": "net",
    "pid": "pid",
    "time": "time",
    "mount": "mnt",
}
"""The specification's names of namespaces → the kernel's (in /proc/PID/ns)."""


class Root(NamedTuple):
    """The container's root file system; a relative path begins at the bundle."""

    path: str
    readonly: bool = False


class Mount(NamedTuple):
    """One entry of `mounts`."""

    destination: str
    type: str = ""
    source: str = ""
    options: tuple[str, ...] = ()
    uid_maps: tuple[IdMap, ...] = ()
    gid_maps: tuple[IdMap, ...] = ()


class User(NamedTuple):
    """Ids inside the container."""

    uid: int = 0
    gid: int = 0
    umask: int | None = None
    additional_gids: tuple[int, ...] = ()


class CapabilitySets(NamedTuple):
    """Names as given (`CAP_CHOWN`); unknown ones are reported and left out when applied."""

    bounding: tuple[str, ...] = ()
    effective: tuple[str, ...] = ()
    inheritable: tuple[str, ...] = ()
    permitted: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()


class Rlimit(NamedTuple):
    """setrlimit(2): `type` is `RLIMIT_…`."""

    type: str
    soft: int
    hard: int


class Scheduler(NamedTuple):
    """sched_setattr(2); runtime, deadline and period in nanoseconds."""

    policy: str
    nice: int = 0
    priority: int = 0
    flags: tuple[str, ...] = ()
    runtime: int = 0
    deadline: int = 0
    period: int = 0


class IoPriority(NamedTuple):
    """ioprio_set(2): class `IOPRIO_CLASS_…`, priority 0-7."""

    kind: str
    priority: int


class CpuAffinity(NamedTuple):
    """Processors (`0-3,7`) of an exec before and after it joins the container's cgroup."""

    initial: str = ""
    final: str = ""


class Process(NamedTuple):
    """What runs in the container and as whom."""

    args: tuple[str, ...]
    cwd: str = "/"
    env: tuple[str, ...] = ()
    terminal: bool = False
    console_size: tuple[int, int] | None = None
    """(columns, rows)"""
    user: User = User()
    capabilities: CapabilitySets | None = None
    rlimits: tuple[Rlimit, ...] = ()
    no_new_privileges: bool = False
    oom_score_adj: int | None = None
    apparmor_profile: str = ""
    selinux_label: str = ""
    scheduler: Scheduler | None = None
    io_priority: IoPriority | None = None
    cpu_affinity: CpuAffinity | None = None


class Namespace(NamedTuple):
    """A namespace to make, or (with a path) to join; `kind` is the kernel's name."""

    kind: str
    path: str = ""


class Device(NamedTuple):
    """A device node; `type` is c, b, u or p; ids are the container's."""

    path: str
    type: str
    major: int = 0
    minor: int = 0
    mode: int = 0o666
    uid: int = 0
    gid: int = 0


class Hook(NamedTuple):
    """A program to run; `timeout` in seconds, None means for ever."""

    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout: int | None = None


class Hooks(NamedTuple):
    """Hooks by the moment at which they run (config.md, POSIX-platform hooks)."""

    prestart: tuple[Hook, ...] = ()
    create_runtime: tuple[Hook, ...] = ()
    create_container: tuple[Hook, ...] = ()
    start_container: tuple[Hook, ...] = ()
    poststart: tuple[Hook, ...] = ()
    poststop: tuple[Hook, ...] = ()


class ClockOffset(NamedTuple):
    """Offset of one clock in a time namespace."""

    clock: str
    seconds: int
    nanoseconds: int


class Linux(NamedTuple):
    """The `linux` object."""

    namespaces: tuple[Namespace, ...] = ()
    uid_maps: tuple[IdMap, ...] = ()
    gid_maps: tuple[IdMap, ...] = ()
    time_offsets: tuple[ClockOffset, ...] = ()
    devices: tuple[Device, ...] = ()
    cgroups_path: str = ""
    resources: Resources = Resources()
    rootfs_propagation: str = ""
    seccomp: dict[str, object] | None = None
    sysctl: tuple[tuple[str, str], ...] = ()
    masked_paths: tuple[str, ...] = ()
    readonly_paths: tuple[str, ...] = ()
    mount_label: str = ""
    personality: str = ""

    def namespace(self, kind: str) -> Namespace | None:
        """The entry of one kind, None where the runtime's namespace is kept."""
        for entry in self.namespaces:
            if entry.kind == kind:
                return entry
        return None


class Spec(NamedTuple):
    """A whole config.json."""

    version: str
    root: Root
    process: Process | None = None
    hostname: str = ""
    domainname: str = ""
    mounts: tuple[Mount, ...] = ()
    hooks: Hooks = Hooks()
    linux: Linux = Linux()
    annotations: tuple[tuple[str, str], ...] = ()
