"""Machines that run BPF programs step by step, to prove what a compiled filter answers.

They are written from the kernel's documentation (networking/filter.rst, bpf/instruction-set) and
share nothing with the compilers in `wherry.linux.bpf` and `wherry.runtime`.
"""

import struct
from collections.abc import Sequence

from wherry.kit.errors import Corrupt

_WORD = 0xFFFFFFFF


class FilterMachine:
    """Runs one classic seccomp program; refuses whatever the kernel's checker would refuse."""

    def __init__(self, program: bytes) -> None:
        self.lines = list(struct.iter_unpack("=HBBI", program))
        self.steps = 0

    def run(self, number: int, audit_arch: int, arguments: Sequence[int] = ()) -> int:
        """The program's answer for one system call."""
        words = [value & ((1 << 64) - 1) for value in arguments] + [0] * (6 - len(arguments))
        data = struct.pack("=IIQ6Q", number & _WORD, audit_arch, 0, *words)
        accumulator = at = self.steps = 0
        while True:
            code, yes, no, value = self.lines[at]
            at += 1
            self.steps += 1
            if code == 0x06:  # BPF_RET | BPF_K
                return int(value)
            if code == 0x05:  # BPF_JMP | BPF_JA
                at += value
            elif code == 0x20:  # BPF_LD | BPF_W | BPF_ABS
                if value % 4 or value > 60:
                    raise Corrupt(f"load from offset {value} of seccomp_data")
                accumulator = struct.unpack_from("=I", data, value)[0]
            elif code == 0x54:  # BPF_ALU | BPF_AND | BPF_K
                accumulator &= value
            else:
                at += yes if _compare(code, accumulator, value) else no


def _compare(code: int, accumulator: int, value: int) -> bool:
    match code:
        case 0x15:
            return accumulator == value
        case 0x25:
            return accumulator > value
        case 0x35:
            return accumulator >= value
        case 0x45:
            return bool(accumulator & value)
    raise Corrupt(f"unknown BPF instruction {code:#x}")


def run_device_program(program: bytes, kind: int, access: int, major: int, minor: int) -> bool:
    """Run an eBPF program on struct bpf_cgroup_dev_ctx; whether it grants the access."""
    context = struct.pack("=III", access << 16 | kind, major, minor)
    lines = list(struct.iter_unpack("=BBhi", program))
    registers = [0] * 11
    at = 0
    while True:
        code, pair, offset, value = lines[at]
        target, source = pair & 15, pair >> 4
        at += 1
        match code:
            case 0x95:  # exit
                return registers[0] == 1
            case 0x61:  # load a word from the context, which register 1 points to
                if source != 1:
                    raise Corrupt("load from something else than the context")
                registers[target] = struct.unpack_from("=I", context, offset)[0]
            case 0xBC:
                registers[target] = registers[source] & _WORD
            case 0xB4:
                registers[target] = value & _WORD
            case 0x54:
                registers[target] = registers[target] & value & _WORD
            case 0x74:
                registers[target] = (registers[target] & _WORD) >> value
            case 0x15 | 0x55:  # 64-bit comparison with a sign-extended constant
                equal = registers[target] == value & ((1 << 64) - 1)
                at += offset if equal == (code == 0x15) else 0
            case _:
                raise Corrupt(f"unknown eBPF instruction {code:#x}")
