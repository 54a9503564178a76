"""Namespaces (namespaces(7)): make, join, map ids; raw clone for what fork cannot ask."""

import ctypes
import os
import signal
from typing import NamedTuple

from wherry.linux.libc import check, is_missing, libc, syscall
from wherry.linux.process import read_small

CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_PIDFD = 0x00001000
CLONE_PARENT = 0x00008000
CLONE_INTO_CGROUP = 0x2_0000_0000

FLAGS = {
    "user": CLONE_NEWUSER,
    "cgroup": CLONE_NEWCGROUP,
    "ipc": CLONE_NEWIPC,
    "uts": CLONE_NEWUTS,
    "net": CLONE_NEWNET,
    "pid": CLONE_NEWPID,
    "time": CLONE_NEWTIME,
    "mnt": CLONE_NEWNS,
}
"""Names in /proc/PID/ns → clone flags, in the order in which they have to be joined."""


class IdMap(NamedTuple):
    """A range of ids: `inside` in the namespace is `outside` in its parent's view."""

    inside: int
    outside: int
    size: int

    def __str__(self) -> str:
        return f"{self.inside} {self.outside} {self.size}"


def unshare(flags: int) -> None:
    """unshare(2). A new pid or time namespace is entered by the next child only."""
    check(libc.unshare(ctypes.c_int(flags)), f"unshare({names_of(flags)})")


def setns(descriptor: int, flags: int) -> None:
    """setns(2) with a namespace's descriptor or (kernel 5.8) a pidfd and several flags."""
    check(libc.setns(ctypes.c_int(descriptor), ctypes.c_int(flags)), f"setns({names_of(flags)})")


def names_of(flags: int) -> str:
    """`pid,net`: the flags for people."""
    return ",".join(name for name, flag in FLAGS.items() if flags & flag) or hex(flags)


def join_process(pidfd: int, pid: int, flags: int) -> None:
    """Join several namespaces of the process that a pidfd is on.

    One call from kernel 5.8 on. Before that the namespaces are opened by pid and joined one by
    one; the caller has to check that the pidfd's process still lives after this returns.
    """
    try:
        setns(pidfd, flags)
    except OSError as error:
        if error.errno != 22:  # EINVAL: the kernel takes namespace descriptors only
            raise
        _join_one_by_one(pid, flags)


def _join_one_by_one(pid: int, flags: int) -> None:
    wanted = [(name, flag) for name, flag in FLAGS.items() if flags & flag]
    opened = [(open_of(pid, name), flag) for name, flag in wanted]  # all before /proc changes
    try:
        for descriptor, flag in opened:
            setns(descriptor, flag)
    finally:
        for descriptor, _ in opened:
            os.close(descriptor)


def open_of(pid: int | str, name: str) -> int:
    """A descriptor on one namespace (`net`, `mnt`, …) of a process."""
    return os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)


def inode_of(pid: int | str, name: str) -> int:
    """The number that tells namespaces of one kind apart. Raises OSError."""
    return os.stat(f"/proc/{pid}/ns/{name}").st_ino


def read_map(pid: int | str = "self", kind: str = "uid") -> tuple[IdMap, ...]:
    """The lines of /proc/PID/uid_map or gid_map, outside ids as this process sees them."""
    lines = read_small(f"/proc/{pid}/{kind}_map").splitlines()
    return tuple(IdMap(*(int(word) for word in line.split())) for line in lines)


def write_map(pid: int | str, kind: str, maps: tuple[IdMap, ...] | list[IdMap]) -> None:
    """Write uid_map or gid_map; possible once, all lines in one write (user_namespaces(7))."""
    path = f"/proc/{pid}/{kind}_map"
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, "".join(f"{line}\n" for line in maps).encode())
    except OSError as error:
        lines = ", ".join(str(line) for line in maps)
        raise OSError(
            error.errno, f"write {lines}: {os.strerror(error.errno or 0)}", path
        ) from error
    finally:
        os.close(descriptor)


def deny_setgroups(pid: int | str) -> None:
    """Forbid setgroups(2) for ever: the price of an unprivileged gid map."""
    with open(f"/proc/{pid}/setgroups", "w", encoding="ascii") as file:
        file.write("deny")


def setgroups_allowed() -> bool:
    """Whether setgroups(2) may be called here."""
    try:
        with open("/proc/self/setgroups", encoding="ascii") as file:
            return file.read().strip() == "allow"
    except FileNotFoundError:
        return True  # before kernel 3.19


def in_user_namespace() -> bool:
    """Whether ids are mapped: we are in a user namespace that is not the initial one."""
    return read_map() != (IdMap(0, 0, 4294967295),)


class _CloneArgs(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            "flags",
            "pidfd",
            "child_tid",
            "parent_tid",
            "exit_signal",
            "stack",
            "stack_size",
            "tls",
            "set_tid",
            "set_tid_size",
            "cgroup",
        )
    )


def fork(flags: int = 0, cgroup_fd: int | None = None) -> int:
    """fork(2) with clone flags: 0 in the child, the child's pid in the parent.

    `cgroup_fd` is a cgroup v2 directory in which the child begins (CLONE_INTO_CGROUP, 5.7). With
    CLONE_PARENT the child is our parent's, and tells its end by the signal by which we do.
    Only for single-threaded callers. Raises OSError.
    """
    if not flags and cgroup_fd is None:
        return os.fork()
    python = ctypes.pythonapi
    python.PyOS_BeforeFork()
    pid = number = -1
    try:
        pid = _clone(flags, cgroup_fd)
        number = ctypes.get_errno()
    finally:
        if pid == 0:
            python.PyOS_AfterFork_Child()
        else:
            python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(number, f"clone3({names_of(flags)}): {os.strerror(number)}")
    return pid


def _clone(flags: int, cgroup_fd: int | None) -> int:
    exit_signal = 0 if flags & CLONE_PARENT else int(signal.SIGCHLD)  # else EINVAL (clone3(2))
    arguments = _CloneArgs(flags=flags, exit_signal=exit_signal)
    if cgroup_fd is not None:
        arguments.flags |= CLONE_INTO_CGROUP
        arguments.cgroup = cgroup_fd
    try:
        return syscall("clone3", ctypes.byref(arguments), ctypes.sizeof(arguments))
    except OSError as error:
        if not is_missing(error) or cgroup_fd is not None:
            return -1
    try:  # container filters answer ENOSYS to clone3 and let clone pass
        return syscall("clone", flags | signal.SIGCHLD, 0, 0, 0, 0)
    except OSError:
        return -1


def set_hostname(name: str) -> None:
    """sethostname(2) in our UTS namespace. Raises OSError."""
    text = os.fsencode(name)
    check(libc.sethostname(text, ctypes.c_size_t(len(text))), "sethostname", name)


def set_domainname(name: str) -> None:
    """setdomainname(2) in our UTS namespace. Raises OSError."""
    text = os.fsencode(name)
    check(libc.setdomainname(text, ctypes.c_size_t(len(text))), "setdomainname", name)
