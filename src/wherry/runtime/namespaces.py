"""The stage's part: join namespaces by path, make the user namespace and then the others."""

import errno
import fcntl
import os
from collections.abc import Iterable

from wherry.kit.errors import InvalidInput, NotFound
from wherry.linux import namespace, process
from wherry.linux.namespace import CLONE_NEWTIME, CLONE_NEWUSER, FLAGS
from wherry.runtime.errors import from_os_error
from wherry.runtime.handshake import Channel
from wherry.runtime.spec_types import ClockOffset, Linux, Namespace
from wherry.runtime.trusted import open_beneath_proc, own_directory

_NS_GET_NSTYPE = 0xB703
_LARGEST_MAP = 1 << 16  # 340 lines of three numbers (user_namespaces(7))


def join_by_path(linux: Linux) -> None:
    """Join every namespace that has a path; all are opened before the first is joined.

    A namespace may belong to the user namespace that is joined as well, or to the one we come
    from: those that we may not join yet are tried again after the user namespace.
    Raises NotFound, InvalidInput, SetupNotPermitted.
    """
    wanted = [entry for entry in linux.namespaces if entry.path]
    wanted.sort(key=lambda entry: list(FLAGS).index(entry.kind))
    opened = [(entry, open_namespace(entry)) for entry in wanted]
    try:
        user = [pair for pair in opened if pair[0].kind == "user"]
        others = [pair for pair in opened if pair[0].kind != "user"]
        later = [pair for pair in others if not _join(*pair, may_wait=bool(user))]
        for pair in (*user, *later):
            _join(*pair, may_wait=False)
    finally:
        for _, descriptor in opened:
            os.close(descriptor)


def _join(entry: Namespace, descriptor: int, *, may_wait: bool) -> bool:
    try:
        namespace.setns(descriptor, FLAGS[entry.kind])
    except OSError as error:
        if may_wait and error.errno == errno.EPERM:
            return False
        raise from_os_error(f"join {entry.kind} namespace {entry.path}", error) from error
    return True


def open_namespace(entry: Namespace) -> int:
    """A descriptor on a namespace file that is of the kind it should be."""
    where = f"{entry.kind} namespace {entry.path}"
    try:
        descriptor = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise NotFound(f"{where}: no such file") from error
    except OSError as error:
        raise from_os_error(where, error) from error
    try:
        kind = fcntl.ioctl(descriptor, _NS_GET_NSTYPE)
    except OSError:
        kind = 0
    if kind != FLAGS[entry.kind]:
        os.close(descriptor)
        raise InvalidInput(f"{where}: not a {entry.kind} namespace")
    return descriptor


def join_container(kinds: Iterable[str], pidfd: int, pid: int) -> bool:
    """Join a container's init in namespaces of these kinds; whether in another user namespace.

    The pidfd keeps it from being another process. Raises OSError, ProcessLookupError.
    """
    flags = 0
    for kind in kinds:
        flags |= FLAGS[kind]
    if flags & CLONE_NEWUSER and _is_ours("user", pid):
        flags &= ~CLONE_NEWUSER  # joining the own user namespace is EINVAL
    namespace.join_process(pidfd, pid, flags)
    if process.has_exited(pidfd):
        raise ProcessLookupError(errno.ESRCH, "the container has ended")
    return bool(flags & CLONE_NEWUSER)


def _is_ours(kind: str, pid: int) -> bool:
    return namespace.inode_of("self", kind) == namespace.inode_of(pid, kind)


def new_flags(linux: Linux) -> int:
    """Clone flags of all namespaces that are to be made."""
    flags = 0
    for entry in linux.namespaces:
        flags |= 0 if entry.path else FLAGS[entry.kind]
    return flags


def can_be_first(linux: Linux) -> bool:
    """Whether a process can be cloned right into the place of init: no stage has to fork it.

    A stage is needed for a user namespace, which is mapped before the others are made, and for a
    pid or time namespace that is joined or has offsets: those hold for the next child only.
    """
    pid = linux.namespace("pid")
    return (
        linux.namespace("user") is None
        and linux.namespace("time") is None
        and (pid is None or not pid.path)
    )


def make_user_namespace(channel: Channel, proc_fd: int) -> None:
    """Unshare, have the caller write the maps, and become the new root where there is one."""
    namespace.unshare(CLONE_NEWUSER)
    process.set_dumpable(True)  # or our /proc files belong to a root that is not the caller
    channel.send("map")
    channel.expect("mapped")
    become_root(proc_fd)


def become_root(proc_fd: int) -> None:
    """Take id 0 where the user namespace has it; another map leaves the id that we are.

    The maps are read from the host's procfs: after a join, /proc is the container's.
    """
    for kind, change in (("gid", os.setresgid), ("uid", os.setresuid)):
        if 0 in _inside(proc_fd, kind):
            change(0, 0, 0)


def rename_id(proc_fd: int, uid: int, gid: int) -> None:
    """Have our only user and group ids called otherwise, in a user namespace of our own.

    Writing a map of just the own id needs no right (user_namespaces(7)), but a process that is
    dumpable; nobody in the container sees this one. Raises OSError.
    """
    now = tuple(_inside(proc_fd, kind)[0] for kind in ("uid", "gid"))
    if now == (uid, gid):
        return
    namespace.unshare(CLONE_NEWUSER)
    process.set_dumpable(True)
    _write_own(proc_fd, "setgroups", "deny")
    _write_own(proc_fd, "uid_map", f"{uid} {now[0]} 1")
    _write_own(proc_fd, "gid_map", f"{gid} {now[1]} 1")
    process.set_dumpable(False)


def _inside(proc_fd: int, kind: str) -> list[int]:
    """The first id of each line of our map.

    Read as bytes: a codec that is not loaded yet would be imported from the container's files.
    """
    descriptor = open_beneath_proc(proc_fd, f"{own_directory(proc_fd)}/{kind}_map", os.O_RDONLY)
    try:
        return [int(line.split()[0]) for line in os.read(descriptor, _LARGEST_MAP).splitlines()]
    finally:
        os.close(descriptor)


def _write_own(proc_fd: int, name: str, text: str) -> None:
    descriptor = open_beneath_proc(proc_fd, f"{own_directory(proc_fd)}/{name}", os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def make_others(linux: Linux, made: int = 0) -> None:
    """Everything but user and what is `made` already; pid and time take effect in the next child.

    We are in the container's cgroup by now, which becomes the cgroup namespace's root.
    """
    flags = new_flags(linux) & ~(CLONE_NEWUSER | made)
    if flags:
        namespace.unshare(flags)
    if flags & CLONE_NEWTIME and linux.time_offsets:
        write_time_offsets(linux.time_offsets)


def write_time_offsets(offsets: tuple[ClockOffset, ...]) -> None:
    """/proc/self/timens_offsets (time_namespaces(7)): before the first child."""
    lines = "".join(f"{line.clock} {line.seconds} {line.nanoseconds}\n" for line in offsets)
    descriptor = os.open("/proc/self/timens_offsets", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, lines.encode())
    finally:
        os.close(descriptor)
