"""Classic BPF programs (seccomp filters) and eBPF device programs: building, loading, attaching.

Sources: linux/filter.h, linux/seccomp.h, seccomp(2), bpf(2). A classic program is made from its
last instruction to its first, because its jumps only go forward: so every target already has its
place when a jump to it is written. Little-endian machines only, as are all that wherry has system
call tables for.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Sequence
from typing import NewType

from wherry.kit.errors import InvalidInput, Unsupported
from wherry.linux.libc import check, libc, syscall

Label = NewType("Label", int)
"""Place of an instruction, counted from the end of the program (the last one is 0)."""

INSTRUCTION = struct.Struct("=HBBI")
"""struct sock_filter: code, distance if true, distance if false, constant."""

LIMIT = 4096
"""BPF_MAXINSNS: longer programs are refused by the kernel."""

NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
"""Offsets in struct seccomp_data; an argument takes 8 bytes, its low half first."""

_LOAD, _AND, _JUMP, _RETURN = 0x20, 0x54, 0x05, 0x06
_EQUAL, _AT_LEAST = 0x15, 0x35
_REACH = 253  # a conditional jump has 8 bits for its distance; two bridges may come between


class Assembler:
    """A classic program that grows from its end; equal pieces within reach are shared."""

    __slots__ = ("_known", "_lines")

    def __init__(self) -> None:
        self._lines: list[tuple[int, int, int, int]] = []
        self._known: dict[tuple[int, int, int, int], Label] = {}

    def answer(self, value: int) -> Label:
        """Leave the program with a value (SECCOMP_RET_*)."""
        return self._add(_RETURN, value, -1, -1)

    def load(self, offset: int, then: Label) -> Label:
        """Read the 32-bit word at an offset of seccomp_data."""
        return self._add(_LOAD, offset, then, then)

    def mask(self, bits: int, then: Label) -> Label:
        """Keep only these bits of the word."""
        return self._add(_AND, bits, then, then)

    def if_equal(self, value: int, yes: Label, no: Label) -> Label:
        """Branch on word == value."""
        return yes if yes == no else self._add(_EQUAL, value, yes, no)

    def if_at_least(self, value: int, yes: Label, no: Label) -> Label:
        """Branch on word >= value, unsigned."""
        return yes if yes == no or value == 0 else self._add(_AT_LEAST, value, yes, no)

    def finish(self, entry: Label) -> bytes:
        """The program that begins at `entry`. Raises InvalidInput if it is too long."""
        self._fall_to(entry)
        if len(self._lines) > LIMIT:
            raise InvalidInput(
                f"the filter needs {len(self._lines)} BPF instructions, the kernel takes {LIMIT}"
            )
        return b"".join(
            INSTRUCTION.pack(code, yes, no, value) for code, yes, no, value in reversed(self._lines)
        )

    def _add(self, code: int, value: int, yes: int, no: int) -> Label:
        key = (code, value, yes, no)
        known = self._known.get(key)
        if known is not None and len(self._lines) - known < _REACH - 8:
            return known
        if code in (_LOAD, _AND):
            self._fall_to(Label(yes))
            self._lines.append((code, 0, 0, value))
        elif code == _RETURN:
            self._lines.append((code, 0, 0, value))
        else:
            self._branch(code, value, Label(yes), Label(no))
        self._known[key] = Label(len(self._lines) - 1)
        return self._known[key]

    def _branch(self, code: int, value: int, yes: Label, no: Label) -> None:
        yes = self._within_reach(yes)
        no = self._within_reach(no)
        here = len(self._lines)
        self._lines.append((code, here - 1 - yes, here - 1 - no, value))

    def _within_reach(self, target: Label) -> Label:
        """The target, or a long jump to it that is near."""
        here = len(self._lines)
        if here - 1 - target <= _REACH:
            return target
        self._lines.append((_JUMP, 0, 0, here - 1 - target))
        return Label(here)

    def _fall_to(self, target: Label) -> None:
        here = len(self._lines)
        if target != here - 1:
            self._lines.append((_JUMP, 0, 0, here - 1 - target))


def select(assembler: Assembler, pieces: Sequence[tuple[int, Label]]) -> Label:
    """A balanced tree over the loaded word.

    `pieces` are (first value, where to go), ascending, the first begins at 0 and each reaches to
    the next one's start.
    """
    if len(pieces) == 1:
        return pieces[0][1]
    if len(pieces) == 3 and pieces[0][1] == pieces[2][1] and pieces[1][0] + 1 == pieces[2][0]:
        return assembler.if_equal(pieces[1][0], pieces[1][1], pieces[0][1])
    middle = _middle(pieces)
    high = select(assembler, pieces[middle:])
    low = select(assembler, pieces[:middle])
    return assembler.if_at_least(pieces[middle][0], high, low)


def _middle(pieces: Sequence[tuple[int, Label]]) -> int:
    """Where to split: near half, and not through a single value between two equal neighbours."""
    middle = len(pieces) // 2
    if len(pieces) > 4 and middle % 2 == 0:
        middle += 1
    return middle


FLAG_TSYNC, FLAG_LOG, FLAG_SPEC_ALLOW, FLAG_NEW_LISTENER = 1, 2, 4, 8
FLAG_WAIT_KILLABLE = 32
"""SECCOMP_FILTER_FLAG_* of linux/seccomp.h."""

_PR_SET_SECCOMP, _MODE_FILTER, _SET_MODE_FILTER = 22, 2, 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def load_seccomp(program: bytes, flags: int = 0) -> int | None:
    """Put a filter on this thread (with FLAG_TSYNC on all), for good.

    Needs CAP_SYS_ADMIN in the user namespace or no_new_privs. Returns the notification descriptor
    when FLAG_NEW_LISTENER was given. Raises OSError; Unsupported when the kernel lacks a flag.
    """
    value = _Program(len(program) // INSTRUCTION.size, program)
    if flags == 0:  # works from kernel 3.5 on
        check(
            libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(value), 0, 0),
            "prctl(PR_SET_SECCOMP)",
        )
        return None
    try:
        result = syscall("seccomp", _SET_MODE_FILTER, flags, ctypes.byref(value))
    except OSError as error:
        if error.errno == errno.EINVAL and flags & ~FLAG_TSYNC:
            raise Unsupported(f"this kernel does not know the seccomp flags {flags:#x}") from error
        raise
    if flags & FLAG_NEW_LISTENER:
        return result
    if result:
        raise OSError(errno.ESRCH, f"seccomp: thread {result} cannot be given the filter")
    return None


_PROG_LOAD, _PROG_ATTACH, _PROG_DETACH, _PROG_GET_FD_BY_ID, _PROG_QUERY = 5, 8, 9, 13, 16
_TYPE_CGROUP_DEVICE, _ATTACH_CGROUP_DEVICE = 15, 6
_ATTACH_ALLOW_MULTI = 2
_EBPF = struct.Struct("=BBhi")


def ebpf(code: int, target: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
    """One eBPF instruction (struct bpf_insn): registers by number, jumps in instructions."""
    return _EBPF.pack(code, source << 4 | target, offset, value)


def load_device_program(program: bytes) -> int:
    """Check and load a BPF_PROG_TYPE_CGROUP_DEVICE program; its descriptor. Raises OSError."""
    code = ctypes.create_string_buffer(program, len(program))
    licence = ctypes.create_string_buffer(b"Apache")
    attributes = struct.pack(
        "=IIQQIIQII16s",
        _TYPE_CGROUP_DEVICE,
        len(program) // _EBPF.size,
        ctypes.addressof(code),
        ctypes.addressof(licence),
        0,
        0,
        0,
        0,
        0,
        b"wherry_devices",
    )
    return _bpf(_PROG_LOAD, attributes)


def attached_device_programs(cgroup: int) -> list[int]:
    """Ids of the device programs attached to exactly this cgroup (a directory descriptor)."""
    room = 64
    ids = (ctypes.c_uint32 * room)()
    attributes = bytearray(
        struct.pack("=IIIIQI4x", cgroup, _ATTACH_CGROUP_DEVICE, 0, 0, ctypes.addressof(ids), room)
    )
    buffer = (ctypes.c_char * len(attributes)).from_buffer(attributes)
    syscall("bpf", _PROG_QUERY, buffer, len(attributes))
    count = struct.unpack_from("=I", attributes, 24)[0]
    return list(ids[:count])


def attach_device_program(cgroup: int, program: int) -> None:
    """Make `program` the only device program of the cgroup; older ones go once it is in force.

    Programs add up (BPF_F_ALLOW_MULTI): access is granted only where all grant it, so between the
    two steps nothing is allowed that the new one forbids.
    """
    old = attached_device_programs(cgroup)
    attributes = struct.pack(
        "=IIIII", cgroup, program, _ATTACH_CGROUP_DEVICE, _ATTACH_ALLOW_MULTI, 0
    )
    _bpf(_PROG_ATTACH, attributes)
    for identity in old:
        _detach(cgroup, identity)


def _detach(cgroup: int, identity: int) -> None:
    descriptor = _bpf(_PROG_GET_FD_BY_ID, struct.pack("=III", identity, 0, 0))
    try:
        _bpf(_PROG_DETACH, struct.pack("=IIII", cgroup, descriptor, _ATTACH_CGROUP_DEVICE, 0))
    finally:
        os.close(descriptor)


def _bpf(command: int, attributes: bytes) -> int:
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    return syscall("bpf", command, buffer, len(attributes))
