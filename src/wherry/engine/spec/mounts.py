"""The `mounts` list: the kernel's file systems, the engine's files, the user's mounts."""

from wherry.dockerapi.host_config import HostConfig
from wherry.engine.records import MountPoint
from wherry.engine.spec.facts import Facts
from wherry.kit.errors import InvalidInput, Unsupported
from wherry.kit.units import parse_size

Mount = dict[str, object]
DEFAULT_SHM = 64 << 20
MASKED = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
]
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
PROPAGATIONS = ("rprivate", "private", "rshared", "shared", "rslave", "slave")
RECURSIVE_SINCE = (5, 12)
"""The kernel that has mount_setattr."""
_TMPFS_FLAGS = frozenset(
    "defaults ro rw suid nosuid dev nodev exec noexec sync async mand nomand dirsync atime "
    "noatime diratime nodiratime relatime norelatime strictatime nostrictatime bind rbind "
    "private rprivate shared rshared slave rslave unbindable runbindable".split()
)
_TMPFS_VALUES = frozenset("mode uid gid nr_inodes nr_blocks mpol size".split())


def mount(target: str, fstype: str, source: str, *options: str) -> Mount:
    """One entry in the specification's form."""
    return {"destination": target, "type": fstype, "source": source, "options": list(options)}


def bind(target: str, source: str, *options: str) -> Mount:
    """A recursive bind mount."""
    return mount(target, "bind", source, "rbind", *options)


def kernel_mounts(facts: Facts, *, privileged: bool, host_network: bool) -> list[Mount]:
    """What every container has. A plain user gets what the user namespace can mount."""
    real = facts.host.ids == "real"
    readonly = () if privileged else ("ro",)
    devpts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
    if real or facts.host.ids == "mapped":
        devpts.append("gid=5")
    result = [
        mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
        mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        mount("/dev/pts", "devpts", "devpts", *devpts),
    ]
    if host_network and not real:
        # a sysfs of a network namespace that another user namespace owns cannot be mounted
        result.append(bind("/sys", "/sys", "nosuid", "noexec", "nodev", *readonly, "rslave"))
    else:
        result.append(mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", *readonly))
    if facts.host.cgroup != "none":
        options = ("nosuid", "noexec", "nodev", *readonly)
        result.append(mount("/sys/fs/cgroup", "cgroup", "cgroup", *options))
    return result


def ipc_mounts(facts: Facts, host: HostConfig) -> list[Mount]:
    """/dev/mqueue and /dev/shm, by the kind of IPC."""
    flags = ("nosuid", "noexec", "nodev")
    queue = mount("/dev/mqueue", "mqueue", "mqueue", *flags)
    if host.ipc_mode == "host":
        shm = bind("/dev/shm", "/dev/shm")
        if facts.host.ids == "real":
            return [queue, shm]
        # the host's queues cannot be mounted from a user namespace, only bound where they are
        queue = bind("/dev/mqueue", "/dev/mqueue", *flags)
        return [queue, shm] if facts.host.mqueue else [shm]
    if host.ipc_mode == "none":
        return [queue]
    if facts.joined.shm:
        return [queue, bind("/dev/shm", facts.joined.shm, *flags)]
    size = f"size={host.shm_size or DEFAULT_SHM}"
    return [queue, mount("/dev/shm", "tmpfs", "shm", *flags, "mode=1777", size)]


def engine_files(facts: Facts, taken: frozenset[str], *, readonly: bool) -> list[Mount]:
    """resolv.conf, hostname, hosts and the init program, unless the user mounts there.

    With a read-only root they are read-only too.
    """
    files = facts.files
    wanted = (
        ("/etc/resolv.conf", files.resolv_conf, ()),
        ("/etc/hostname", files.hostname, ()),
        ("/etc/hosts", files.hosts, ()),
        ("/sbin/docker-init", files.init, ("ro",)),
    )
    access = ("ro",) if readonly else ()
    return [
        bind(target, source, "rprivate", *(options or access))
        for target, source, options in wanted
        if source and target not in taken
    ]


def device_binds(facts: Facts) -> list[Mount]:
    """Devices under another name, for where mknod is not allowed and only a bind gives one."""
    if facts.host.ids == "real":
        return []
    return [bind(each.target, each.path) for each in facts.devices if each.path != each.target]


def user_mount(point: MountPoint, kernel: tuple[int, int] = RECURSIVE_SINCE) -> Mount:
    """A bind, a volume or a tmpfs of the record. Raises Unsupported (an old kernel)."""
    if point.type == "tmpfs":
        return mount(point.destination, "tmpfs", "tmpfs", *point.options)
    if kernel < RECURSIVE_SINCE and point.force_recursive_readonly:
        raise Unsupported(f"{point.source}: this kernel knows no recursive read-only mounts")
    below = point.recursive_readonly and kernel >= RECURSIVE_SINCE
    access = () if point.rw else ("rro",) if below else ("ro",)
    usual = "rslave" if point.type == "volume" else "rprivate"
    options = ("rbind" if point.recursive else "bind", point.propagation or usual, *access)
    return mount(point.destination, "bind", point.source, *options)


def tmpfs_options(text: str) -> tuple[str, ...]:
    """`--tmpfs` options with Docker's defaults before them. Raises InvalidInput."""
    options = [option for option in text.split(",") if option]
    for option in options:
        name, _, value = option.partition("=")
        if option not in _TMPFS_FLAGS and name not in _TMPFS_VALUES:
            raise InvalidInput(f'invalid tmpfs option ["{option}"]')
        if name == "size" and not value.endswith("%"):
            parse_size(value)
    return ("noexec", "nosuid", "nodev", *(o for o in options if o != "defaults"))


def ordered(mounts: list[Mount]) -> list[Mount]:
    """Parents before children; the order of equals is kept."""
    return sorted(mounts, key=lambda each: len(_parts(str(each["destination"]))))


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]
