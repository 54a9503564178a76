"""Forked children under a filter, and what the kernel did to them."""

import ctypes
import mmap
import os
import signal
import traceback
from collections.abc import Callable

from wherry.linux import syscalls
from wherry.linux.libc import libc

_PR_SET_NO_NEW_PRIVS = 38


def call(name: str, *arguments: int) -> int:
    """A system call: its result, or the negative error number."""
    number = syscalls.numbers(syscalls.X86_64)[name]
    return call_number(number, *arguments)


def call_number(number: int, *arguments: int) -> int:
    words = [ctypes.c_long(word) for word in arguments]
    libc.syscall.restype = ctypes.c_long
    result: int = libc.syscall(ctypes.c_long(number), *words)
    return -ctypes.get_errno() if result < 0 else result


def call_32(name: str) -> int:
    """A call without arguments by `int 0x80`, which is the i386 ABI even in a 64-bit process."""
    number = syscalls.numbers(syscalls.I386)[name]
    code = b"\xb8" + number.to_bytes(4, "little") + b"\xcd\x80\xc3"  # mov eax, N; int 0x80; ret
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    return int(function())


def no_new_privs() -> None:
    assert libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0


def fork(work: Callable[[], object]) -> int:
    """A child that does the work and exits with 0; with 99 after an exception."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a child never returns into the test run
            traceback.print_exc()
        finally:
            os._exit(99)
    return pid


def outcome(work: Callable[[], list[int] | None]) -> list[int] | signal.Signals:
    """What the child's work returned, or the signal that ended it."""
    reading, writing = os.pipe()

    def report() -> None:
        text = ",".join(str(int(number)) for number in work() or [])
        os.write(writing, text.encode())

    pid = fork(report)
    os.close(writing)
    with open(reading, encoding="ascii") as file:
        text = file.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status))
    assert os.WEXITSTATUS(status) == 0, "the child failed; see its traceback above"
    return [int(word) for word in text.split(",") if word]
