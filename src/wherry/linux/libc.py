"""The C library by ctypes, system call numbers, and one way to turn a failure into an error.

All functions are called with the GIL held (PyDLL): a system call that blocks for long does not
belong in the single-threaded processes that use this, and a raw clone must not return into a
child that has let the GIL go.
"""

import ctypes
import errno
import os

libc = ctypes.PyDLL(None, use_errno=True)
"""The process's own C library; errno is kept aside by ctypes (`ctypes.get_errno`)."""

_SYSCALLS = {
    "x86_64": {
        "clone": 56,
        "capget": 125,
        "capset": 126,
        "pivot_root": 155,
        "keyctl": 250,
        "ioprio_set": 251,
        "ioprio_get": 252,
        "sched_setattr": 314,
        "seccomp": 317,
        "bpf": 321,
        "execveat": 322,
        "set_mempolicy": 238,
    },
    "generic": {
        "clone": 220,
        "capget": 90,
        "capset": 91,
        "pivot_root": 41,
        "keyctl": 219,
        "ioprio_set": 30,
        "ioprio_get": 31,
        "sched_setattr": 274,
        "seccomp": 277,
        "bpf": 280,
        "execveat": 281,
        "set_mempolicy": 237,
    },
}
_SYSCALLS_EVERYWHERE = {  # from 424 on the numbers are the same on all architectures
    "pidfd_send_signal": 424,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_open": 434,
    "clone3": 435,
    "close_range": 436,
    "openat2": 437,
    "mount_setattr": 442,
}
NUMBERS = (
    _SYSCALLS["x86_64" if os.uname().machine == "x86_64" else "generic"] | _SYSCALLS_EVERYWHERE
)
"""Numbers of the system calls that have no usable wrapper (aarch64 and riscv64 are `generic`)."""

_syscall = libc.syscall
_syscall.restype = ctypes.c_long


def check(result: int, call: str, path: str | bytes | None = None) -> int:
    """The result of a C call, or OSError (errno's subclass) that names the call and the path."""
    if result >= 0:
        return result
    number = ctypes.get_errno()
    if path is None:
        raise OSError(number, f"{call}: {os.strerror(number)}")
    raise OSError(number, f"{call}: {os.strerror(number)}", os.fsdecode(path))


def syscall(name: str, *arguments: object, path: str | bytes | None = None) -> int:
    """A system call by name; integers are passed as long. Raises OSError."""
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    result: int = _syscall(ctypes.c_long(NUMBERS[name]), *words)
    return check(result, name, path)


def is_missing(error: OSError) -> bool:
    """Whether the kernel (or a filter that plays an old kernel) does not have the call."""
    return error.errno == errno.ENOSYS


def encode(text: str | bytes | None) -> bytes | None:
    """A C string; None stays a null pointer."""
    return None if text is None else os.fsencode(text)
