"""The tables against facts that are known from elsewhere."""

import os
import re

import pytest

from wherry.linux import syscalls
from wherry.linux.libc import NUMBERS


@pytest.mark.parametrize("abi", syscalls.ABIS, ids=lambda abi: abi.name)
def test_no_number_is_given_twice(abi: syscalls.Abi) -> None:
    table = syscalls.numbers(abi)
    aliases = {"sync_file_range2"}
    numbers = [number for name, number in table.items() if name not in aliases]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize(
    ("abi", "name", "number"),
    [
        (syscalls.X86_64, "read", 0),
        (syscalls.X86_64, "execve", 59),
        (syscalls.I386, "socketcall", 102),
        (syscalls.I386, "statx", 383),
        (syscalls.X32, "execve", 0x40000000 + 520),
        (syscalls.X32, "openat2", 0x40000000 + 437),
        (syscalls.AARCH64, "execve", 221),
        (syscalls.ARM, "cacheflush", 0xF0002),
        (syscalls.ARM, "sync_file_range2", 341),
        (syscalls.AARCH64, "rseq_slice_yield", 471),
    ],
)
def test_known_numbers(abi: syscalls.Abi, name: str, number: int) -> None:
    assert syscalls.numbers(abi)[name] == number


def test_calls_of_one_abi_only_are_absent_in_the_others() -> None:
    assert "rt_sigaction" in syscalls.numbers(syscalls.X32)
    assert "uretprobe" not in syscalls.numbers(syscalls.X32)
    assert "memfd_secret" not in syscalls.numbers(syscalls.ARM)
    assert "open" not in syscalls.numbers(syscalls.AARCH64)


def test_the_numbers_this_program_itself_calls_agree() -> None:
    table = syscalls.numbers(syscalls.native())
    assert {name: table[name] for name in NUMBERS} == NUMBERS


@pytest.mark.parametrize(
    ("header", "abi"),
    [("64", syscalls.X86_64), ("32", syscalls.I386), ("x32", syscalls.X32)],
)
def test_the_compilers_headers_agree(header: str, abi: syscalls.Abi) -> None:
    path = f"/usr/include/x86_64-linux-gnu/asm/unistd_{header}.h"
    if not os.path.exists(path):
        pytest.skip(f"{path} is not installed (apt-get install linux-libc-dev)")
    with open(path, encoding="ascii") as file:
        found = re.findall(r"#define __NR_(\w+)\s+(?:\(__X32_SYSCALL_BIT \+ )?(\d+)", file.read())
    table = syscalls.numbers(abi)
    assert {name: table.get(name) for name, _ in found} == {
        name: int(number) | abi.number_bit for name, number in found
    }
