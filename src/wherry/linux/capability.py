"""Capabilities of the calling process (capabilities(7)): names, five sets, capset."""

import ctypes
import errno

from wherry.linux import process
from wherry.linux.libc import syscall

NAMES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)
"""Every capability that Linux 6.18 has, at its number."""
NUMBERS = {name: number for number, name in enumerate(NAMES)}

_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def mask(names: tuple[str, ...] | frozenset[str] | list[str]) -> int:
    """The bit mask of a set of names. Raises KeyError for an unknown one."""
    bits = 0
    for name in names:
        bits |= 1 << NUMBERS[name]
    return bits


def names_of(bits: int) -> tuple[str, ...]:
    """The names in a mask; bits without a name are left out."""
    return tuple(name for number, name in enumerate(NAMES) if bits >> number & 1)


def last_known() -> int:
    """The highest capability number of the running kernel."""
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:
        return int(file.read())


def bounding() -> tuple[int, int]:
    """(our bounding set, the kernel's highest number), asked without /proc."""
    bits = number = 0
    while True:
        try:
            bits |= process.prctl(process.PR_CAPBSET_READ, number) << number
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return bits, number - 1
        number += 1


def sets_of(pid: int | str = "self") -> dict[str, int]:
    """The masks `inheritable permitted effective bounding ambient` of a process."""
    words = {"CapInh": "inheritable", "CapPrm": "permitted", "CapEff": "effective"}
    words |= {"CapBnd": "bounding", "CapAmb": "ambient"}
    sets = {}
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key in words:
                sets[words[key]] = int(value, 16)
    return sets


def get() -> tuple[int, int, int]:
    """(effective, permitted, inheritable) of the calling thread."""
    header, data = _Header(_VERSION_3, 0), (_Data * 2)()
    syscall("capget", ctypes.byref(header), ctypes.byref(data))
    low, high = data
    return (
        low.effective | high.effective << 32,
        low.permitted | high.permitted << 32,
        low.inheritable | high.inheritable << 32,
    )


def set_thread(effective: int, permitted: int, inheritable: int) -> None:
    """capset(2) for the calling thread. Raises OSError EPERM where a bit is not held."""
    header, data = _Header(_VERSION_3, 0), (_Data * 2)()
    for index, shift in enumerate((0, 32)):
        data[index].effective = effective >> shift & 0xFFFFFFFF
        data[index].permitted = permitted >> shift & 0xFFFFFFFF
        data[index].inheritable = inheritable >> shift & 0xFFFFFFFF
    syscall("capset", ctypes.byref(header), ctypes.byref(data))


def limit_bounding(bits: int, last: int) -> None:
    """Drop every capability up to number `last` that is not in the mask from the bounding set."""
    for number in range(last + 1):
        if not bits >> number & 1 and process.prctl(process.PR_CAPBSET_READ, number):
            process.prctl(process.PR_CAPBSET_DROP, number)


def set_ambient(bits: int) -> None:
    """Make the ambient set exactly this; each must be permitted and inheritable already."""
    process.prctl(process.PR_CAP_AMBIENT, process.PR_CAP_AMBIENT_CLEAR_ALL)
    for number in range(bits.bit_length()):
        if bits >> number & 1:
            process.prctl(process.PR_CAP_AMBIENT, process.PR_CAP_AMBIENT_RAISE, number)
