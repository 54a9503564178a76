"""Processes: held by pidfd, told apart by start time; prctl, limits, descriptors."""

import ctypes
import errno
import os
import select
import signal

from wherry.linux.libc import check, libc, syscall

PR_SET_PDEATHSIG = 1
PR_GET_DUMPABLE = 3
PR_SET_DUMPABLE = 4
PR_GET_KEEPCAPS = 7
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_GET_CHILD_SUBREAPER = 37
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4

CLOSE_RANGE_CLOEXEC = 1 << 2
_LAST_DESCRIPTOR = (1 << 32) - 1


def prctl(option: int, *arguments: int) -> int:
    """prctl(2) with up to four numbers. Raises OSError."""
    words = [ctypes.c_ulong(word) for word in (*arguments, 0, 0, 0, 0)[:4]]
    return check(libc.prctl(ctypes.c_int(option), *words), f"prctl({option})")


def die_with_parent(sig: int = signal.SIGKILL) -> None:
    """Have the kernel signal us when the thread that made us ends; a set-id exec clears it."""
    prctl(PR_SET_PDEATHSIG, sig)


def become_subreaper() -> None:
    """Orphaned descendants become our children (prctl(2), kernel 3.4)."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def is_subreaper() -> bool:
    """Whether orphaned descendants come to us."""
    value = ctypes.c_int(0)
    check(libc.prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(value), 0, 0, 0), "prctl(subreaper)")
    return value.value == 1


def set_dumpable(dumpable: bool) -> None:
    """A process that is not dumpable has root-owned /proc files and cannot be traced."""
    prctl(PR_SET_DUMPABLE, int(dumpable))


def set_no_new_privileges() -> None:
    """No exec gives more privilege from here on; it cannot be undone."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def reset_signals() -> None:
    """Default actions, also for what was ignored before Python began.

    By the C library: Python's own functions make an enum of each number and handler, which in a
    fresh child copies 150 pages of memory. What Python knows of handlers is wrong after this.
    """
    for number in range(1, signal.NSIG):
        libc.signal(number, None)  # EINVAL for SIGKILL, SIGSTOP and those that libc keeps


def set_name(name: str) -> None:
    """The name `ps` shows (comm); the kernel keeps the first 15 bytes."""
    text = ctypes.c_char_p(os.fsencode(name)[:15])
    check(libc.prctl(PR_SET_NAME, text, 0, 0, 0), "prctl(name)")


def pidfd_open(pid: int) -> int:
    """A close-on-exec descriptor on a process (kernel 5.3). ProcessLookupError where it is gone."""
    return os.pidfd_open(pid)


def pidfd_send_signal(pidfd: int, sig: int) -> None:
    """Signal the very process the descriptor is on. ProcessLookupError where it is gone."""
    signal.pidfd_send_signal(pidfd, sig)


def has_exited(pidfd: int) -> bool:
    """Whether the process has ended (reaped or not)."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(0))


def wait_exited(pidfd: int, timeout: float) -> bool:
    """Wait at most `timeout` seconds for the process to end; whether it did."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(int(timeout * 1000)))


def read_small(path: str, folder: int | None = None) -> str:
    """A file of procfs by three system calls; open() takes eight. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        data = b""
        while chunk := os.read(descriptor, 65536):
            data += chunk
    finally:
        os.close(descriptor)
    return data.decode(errors="surrogateescape")


def stat_fields(pid: int, proc_fd: int | None = None) -> list[str]:
    """The fields of /proc/PID/stat from the third (state) on. ProcessLookupError where none.

    `proc_fd` is a procfs to look in, where /proc is not (or no longer) our own.
    """
    path = f"{pid}/stat"
    try:
        text = read_small(f"/proc/{path}" if proc_fd is None else path, proc_fd)
    except (FileNotFoundError, ProcessLookupError) as error:
        raise ProcessLookupError(errno.ESRCH, f"no process {pid}") from error
    return text[text.rindex(")") + 2 :].split()  # the name in parentheses may hold anything


def start_time(pid: int, proc_fd: int | None = None) -> int:
    """Field 22 of /proc/PID/stat: clock ticks after boot when the process began (proc(5)).

    Together with `boot_id` and the pid it names a process for ever.
    """
    return int(stat_fields(pid, proc_fd)[19])


def is_running(pid: int, started: int) -> bool:
    """Whether pid is still the process that began at `started` and is not a zombie."""
    try:
        fields = stat_fields(pid)
    except ProcessLookupError:
        return False
    return int(fields[19]) == started and fields[0] not in ("Z", "X", "x")


def open_checked(pid: int, started: int) -> int:
    """A pidfd on the process that has this pid and start time.

    The time is read after the descriptor is held, so a reused pid cannot slip in between.
    Raises ProcessLookupError where that process is gone.
    """
    pidfd = pidfd_open(pid)
    try:
        if start_time(pid) != started or has_exited(pidfd):
            raise ProcessLookupError(errno.ESRCH, f"process {pid} is gone")
    except BaseException:
        os.close(pidfd)
        raise
    return pidfd


def boot_id() -> str:
    """The kernel's id of this boot."""
    return read_small("/proc/sys/kernel/random/boot_id").strip()


def close_range(first: int, last: int = _LAST_DESCRIPTOR, *, cloexec: bool = False) -> None:
    """Close descriptors first..last, or only mark them close-on-exec (kernel 5.9, 5.11)."""
    try:
        syscall("close_range", first, last, CLOSE_RANGE_CLOEXEC if cloexec else 0)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EINVAL):
            raise
        _close_one_by_one(first, last, cloexec)


def _close_one_by_one(first: int, last: int, cloexec: bool) -> None:
    for descriptor in [int(name) for name in os.listdir("/proc/self/fd")]:
        if not first <= descriptor <= last:
            continue
        try:
            if cloexec:
                os.set_inheritable(descriptor, False)
            else:
                os.close(descriptor)
        except OSError as error:
            if error.errno != errno.EBADF:  # the listing's own descriptor
                raise


def close_all_except(keep: list[int]) -> None:
    """Close every descriptor from 3 on that is not in the list."""
    first = 3
    for descriptor in sorted(set(keep)):
        if descriptor > first:
            close_range(first, descriptor - 1)
        first = max(first, descriptor + 1)
    close_range(first)


class _Limit(ctypes.Structure):
    _fields_ = (("soft", ctypes.c_uint64), ("hard", ctypes.c_uint64))


UNLIMITED = (1 << 64) - 1
RESOURCES = {
    "RLIMIT_CPU": 0,
    "RLIMIT_FSIZE": 1,
    "RLIMIT_DATA": 2,
    "RLIMIT_STACK": 3,
    "RLIMIT_CORE": 4,
    "RLIMIT_RSS": 5,
    "RLIMIT_NPROC": 6,
    "RLIMIT_NOFILE": 7,
    "RLIMIT_MEMLOCK": 8,
    "RLIMIT_AS": 9,
    "RLIMIT_LOCKS": 10,
    "RLIMIT_SIGPENDING": 11,
    "RLIMIT_MSGQUEUE": 12,
    "RLIMIT_NICE": 13,
    "RLIMIT_RTPRIO": 14,
    "RLIMIT_RTTIME": 15,
}


def get_limit(name: str) -> tuple[int, int]:
    """Our (soft, hard) limit by name; `UNLIMITED` where there is none."""
    limit = _Limit()
    check(libc.prlimit64(0, RESOURCES[name], None, ctypes.byref(limit)), f"prlimit({name})")
    return int(limit.soft), int(limit.hard)


def set_limit(name: str, soft: int, hard: int, pid: int = 0) -> None:
    """setrlimit(2) by name for us or another process. Raises KeyError, OSError."""
    limit = _Limit(soft & UNLIMITED, hard & UNLIMITED)
    result = libc.prlimit64(pid, RESOURCES[name], ctypes.byref(limit), None)
    check(result, f"prlimit({name}, {soft}, {hard})")
