"""Settings of the process that are neither identity nor mounts: limits, priorities, sysctls."""

import ctypes
import errno
import os
import struct
from collections.abc import Callable

from wherry.kit.errors import InvalidInput
from wherry.linux import keyring, process
from wherry.linux.libc import check, libc, syscall
from wherry.linux.process import get_limit, set_limit
from wherry.runtime.spec_types import IoPriority, Linux, Process, Rlimit, Scheduler
from wherry.runtime.trusted import own_directory, write_beneath_proc

_POLICIES = {
    "SCHED_OTHER": 0,
    "SCHED_FIFO": 1,
    "SCHED_RR": 2,
    "SCHED_BATCH": 3,
    "SCHED_ISO": 4,
    "SCHED_IDLE": 5,
    "SCHED_DEADLINE": 6,
}
_SCHEDULER_FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 0x01,
    "SCHED_FLAG_RECLAIM": 0x02,
    "SCHED_FLAG_DL_OVERRUN": 0x04,
    "SCHED_FLAG_KEEP_POLICY": 0x08,
    "SCHED_FLAG_KEEP_PARAMS": 0x10,
    "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20,
    "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40,
}
_IO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
_IO_CLASS_SHIFT = 13
_IO_WHO_PROCESS = 1
_PER_LINUX32 = 0x0008

_IPC_SYSCTLS = frozenset(
    "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax "
    "kernel.shmmni kernel.shm_rmid_forced kernel.msg_next_id kernel.sem_next_id "
    "kernel.shm_next_id kernel.auto_msgmni".split()
)


def set_limits(limits: tuple[Rlimit, ...]) -> None:
    """All rlimits, on ourselves. Raises OSError (EPERM: raising one needs CAP_SYS_RESOURCE)."""
    for limit in limits:
        set_limit(limit.type, limit.soft, limit.hard)


def raise_hard_limits(limits: tuple[Rlimit, ...]) -> None:
    """Raise what will be wanted while we still have the caller's rights; lower nothing yet.

    A low limit of files or memory would stop us before the program runs.
    """
    for limit in limits:
        soft, hard = get_limit(limit.type)
        if limit.hard > hard:
            set_limit(limit.type, soft, limit.hard)


def set_oom_score(proc_fd: int, score: int) -> None:
    """oom_score_adj of ourselves; lowering it needs CAP_SYS_RESOURCE (proc(5)).

    Called before we enter the container: a plain user's /proc files are its own only while it is
    dumpable.
    """
    process.set_dumpable(True)
    try:
        write_beneath_proc(proc_fd, f"{own_directory(proc_fd)}/oom_score_adj", str(score))
    finally:
        process.set_dumpable(False)


def set_priorities(wanted: Process) -> None:
    """Scheduler and input/output priority. Raises InvalidInput, OSError."""
    if wanted.scheduler is not None:
        _set_scheduler(wanted.scheduler)
    if wanted.io_priority is not None:
        _set_io_priority(wanted.io_priority)


def _set_scheduler(wanted: Scheduler) -> None:
    """sched_setattr(2)."""
    policy = _POLICIES.get(wanted.policy)
    if policy is None:
        raise InvalidInput(f"process.scheduler.policy: unknown policy {wanted.policy!r}")
    flags = 0
    for flag in wanted.flags:
        if flag not in _SCHEDULER_FLAGS:
            raise InvalidInput(f"process.scheduler.flags: unknown flag {flag!r}")
        flags |= _SCHEDULER_FLAGS[flag]
    attributes = struct.pack(
        "=IIQiIQQQ",
        48,
        policy,
        flags,
        wanted.nice,
        wanted.priority & 0xFFFFFFFF,
        wanted.runtime,
        wanted.deadline,
        wanted.period,
    )
    syscall("sched_setattr", 0, attributes, 0)


def _set_io_priority(wanted: IoPriority) -> None:
    """ioprio_set(2) on ourselves."""
    kind = _IO_CLASSES.get(wanted.kind)
    if kind is None:
        raise InvalidInput(f"process.ioPriority.class: unknown class {wanted.kind!r}")
    syscall("ioprio_set", _IO_WHO_PROCESS, 0, kind << _IO_CLASS_SHIFT | wanted.priority)


def set_personality(domain: str) -> None:
    """personality(2); the empty text leaves it as it is."""
    if domain:
        persona = _PER_LINUX32 if domain == "LINUX32" else 0
        check(libc.personality(ctypes.c_ulong(persona)), f"personality({domain})")


def leave_keyring(container_id: str, warn: Callable[[str], None]) -> None:
    """Join the container's own session keyring; where keys are not to be had, say so and go on.

    EPERM and ENOSYS come from filters of an outer container, EDQUOT from a plain user's quota.
    """
    try:
        keyring.join_session(f"_ses.{container_id}")
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EDQUOT):
            raise
        warn(f"keeping the session keyring: {error.strerror}")


def parse_processors(text: str, path: str) -> set[int]:
    """`0-3,7` → {0, 1, 2, 3, 7}. Raises InvalidInput naming the JSON path."""
    numbers: set[int] = set()
    for piece in text.split(","):
        first, dash, last = piece.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()) or len(first + last) > 10:
            raise InvalidInput(f"{path}: {text!r} is not a list of processors like 0-3,7")
        low, high = int(first), int(last or first)
        if high < low or high > 8191:  # the kernel's largest NR_CPUS
            raise InvalidInput(f"{path}: {piece!r} is not a range of processors")
        numbers.update(range(low, high + 1))
    return numbers


def set_affinity(text: str, path: str) -> None:
    """sched_setaffinity(2) of ourselves. Raises InvalidInput, OSError."""
    if text:
        os.sched_setaffinity(0, parse_processors(text, path))


def check_sysctls(linux: Linux) -> None:
    """Raises InvalidInput for a sysctl that would reach beyond the container's namespaces."""
    for key, _ in linux.sysctl:
        name = sysctl_path(key).replace("/", ".")
        if name in _IPC_SYSCTLS or name.startswith("fs.mqueue."):
            _require(linux, "ipc", key)
        elif name.startswith("net."):
            _require(linux, "net", key)
        elif name == "kernel.domainname":
            _require(linux, "uts", key)
        elif name.startswith("user."):
            _require(linux, "user", key)
        elif name == "kernel.hostname":
            raise InvalidInput(f"linux.sysctl: set hostname instead of {key}")
        else:
            raise InvalidInput(f"linux.sysctl: {key} is not in a namespace of its own")


def _require(linux: Linux, kind: str, key: str) -> None:
    if linux.namespace(kind) is None:
        raise InvalidInput(f"linux.sysctl: {key} needs a {kind} namespace of the container's own")


def sysctl_path(key: str) -> str:
    """A sysctl's path below /proc/sys, by sysctl(8)'s rule: the first separator decides.

    `net.ipv4.conf.eth0/1.mtu` and `net/ipv4/conf/eth0.1/mtu` both mean interface `eth0.1`.
    """
    dot, slash = key.find("."), key.find("/")
    path = key
    if slash == -1 or (dot != -1 and dot < slash):
        path = key.translate({ord("."): "/", ord("/"): "."})
    if any(piece in ("", ".", "..") for piece in path.split("/")):
        raise InvalidInput(f"linux.sysctl: {key!r} is not a sysctl's name")
    return path


def set_sysctls(proc_fd: int, sysctls: tuple[tuple[str, str], ...]) -> None:
    """Write each, through the host's procfs: which namespace is meant is decided by the writer."""
    for key, value in sysctls:
        write_beneath_proc(proc_fd, f"sys/{sysctl_path(key)}", value)
