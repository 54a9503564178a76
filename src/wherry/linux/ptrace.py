"""System calls made by another process, at our wish (ptrace(2)); x86-64 only.

A thread is seized and stopped where it enters or leaves the kernel, its registers are set so that
it runs the `syscall` instruction that it has just run (or one that is written for it), and put
back afterwards. Its signals are blocked meanwhile.
"""

import contextlib
import ctypes
import os
import signal
import time

from wherry.linux.libc import check, libc

_CONTINUE, _GET_REGISTERS, _SET_REGISTERS, _DETACH, _TO_SYSCALL = 7, 12, 13, 17, 24
_SEIZE, _INTERRUPT, _SET_MASK, _GET_MASK = 0x4206, 0x4207, 0x420B, 0x420A
_MARK_SYSCALLS, TRACE_CLONE, TRACE_EXEC = 0x01, 0x08, 0x10
_EVENT_EXEC, _EVENT_STOP = 4, 128
_SYSCALL_STOP = signal.SIGTRAP | 0x80
_ALL_CHILDREN = 0x40000000  # __WALL: threads and clones too
_RESTART = -512  # ERESTARTSYS: interrupted, to be made again
_PATIENCE = 5.0
_BELOW_STACK = 1024  # bytes; the 128 next to the stack pointer may be in use (x86-64 ABI)
SYSCALL = b"\x0f\x05"
"""The machine code of `syscall`."""

_NAMES = (
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
    "fs_base gs_base ds es fs gs"
)
_ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")


class Registers(ctypes.Structure):
    """struct user_regs_struct (sys/user.h)."""

    _fields_ = tuple((name, ctypes.c_ulonglong) for name in _NAMES.split())


def available() -> bool:
    """Whether this module knows the processor."""
    return os.uname().machine == "x86_64"


def seize(thread: int, options: int = 0) -> None:
    """Become the tracer; the thread goes on. Raises OSError (EPERM: it has one already)."""
    _ptrace(_SEIZE, thread, 0, _MARK_SYSCALLS | options)


def interrupt(thread: int) -> int:
    """Stop a seized thread; the wait status of the stop."""
    _ptrace(_INTERRUPT, thread)
    return wait(thread)


def wait(thread: int) -> int:
    """The status of the next stop. Raises TimeoutError, ChildProcessError when it has ended."""
    until = time.monotonic() + _PATIENCE
    while True:
        pid, status = os.waitpid(thread, os.WNOHANG | _ALL_CHILDREN)
        if pid:
            if not os.WIFSTOPPED(status):
                raise ChildProcessError(f"thread {thread} has ended")
            return status
        if time.monotonic() > until:
            raise TimeoutError(f"thread {thread} does not stop")
        time.sleep(0.0002)


def is_interrupted(status: int) -> bool:
    """Whether the stop is the one that was asked for (no signal is on its way)."""
    return status >> 16 == _EVENT_STOP


def is_exec(status: int) -> bool:
    """Whether the process has just got its new program (PTRACE_EVENT_EXEC)."""
    return status >> 16 == _EVENT_EXEC


def detach(thread: int, number: int = 0) -> None:
    """Let it go on without us, with a signal; gone is fine."""
    with contextlib.suppress(ProcessLookupError):
        _ptrace(_DETACH, thread, 0, number)


def go_on(thread: int, number: int = 0) -> None:
    """Let it go on with a signal until its next stop; gone is fine."""
    with contextlib.suppress(ProcessLookupError):
        _ptrace(_CONTINUE, thread, 0, number)


class Stopped:
    """A stopped thread that makes system calls for us. Its signals wait until `leave`."""

    __slots__ = ("_mask", "_patch", "_place", "_registers", "thread")

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self._patch = b""
        self._mask = ctypes.c_uint64()
        _ptrace(_GET_MASK, thread, 8, ctypes.addressof(self._mask))
        everything = ctypes.c_uint64((1 << 64) - 1)
        _ptrace(_SET_MASK, thread, 8, ctypes.addressof(everything))
        self._registers = self._read()
        self._place = self._registers.rip - len(SYSCALL)

    def waits_in(self, number: int) -> bool:
        """Whether it was interrupted in this system call."""
        registers = self._registers
        interrupted = ctypes.c_longlong(registers.rax).value == _RESTART
        return interrupted and ctypes.c_longlong(registers.orig_rax).value == number

    def finish_exec(self) -> None:
        """From the stop in execve to the first instruction of the program, which is borrowed."""
        self._to_syscall()
        self._registers = self._read()
        self._place = self._registers.rip
        self._patch = self._exchange(SYSCALL, self._place)

    def call(self, number: int, *arguments: int) -> int:
        """The result of a system call made by the thread; an error is -errno."""
        registers = Registers.from_buffer_copy(self._registers)
        registers.rax, registers.orig_rax, registers.rip = number, -1, self._place
        for name, value in zip(_ARGUMENTS, arguments, strict=False):
            setattr(registers, name, value)
        self._write(registers)
        self._to_syscall()  # on its way in
        self._to_syscall()  # on its way out
        return ctypes.c_longlong(self._read().rax).value

    def call_with(self, number: int, *content: bytes) -> int:
        """A call whose arguments are addresses of these bytes, put below the stack meanwhile."""
        place = (self._registers.rsp - _BELOW_STACK) & ~15
        before = self._exchange(b"".join(content), place)
        starts = [place + sum(map(len, content[:at])) for at in range(len(content))]
        try:
            return self.call(number, *starts)
        finally:
            self._exchange(before, place)

    def leave(self, result: int | None) -> None:
        """Put everything back and let go; `result` is what its own call returns.

        None has the call that was interrupted made again.
        """
        if self._patch:
            self._exchange(self._patch, self._place)
        if result is not None:
            self._registers.rax, self._registers.orig_rax = result, -1
        self._write(self._registers)
        _ptrace(_SET_MASK, self.thread, 8, ctypes.addressof(self._mask))
        detach(self.thread)

    def _to_syscall(self) -> None:
        _ptrace(_TO_SYSCALL, self.thread)
        status = wait(self.thread)
        while os.WSTOPSIG(status) != _SYSCALL_STOP:  # a stop that nobody else will look at
            _ptrace(_TO_SYSCALL, self.thread)
            status = wait(self.thread)

    def _read(self) -> Registers:
        registers = Registers()
        _ptrace(_GET_REGISTERS, self.thread, 0, ctypes.addressof(registers))
        return registers

    def _write(self, registers: Registers) -> None:
        _ptrace(_SET_REGISTERS, self.thread, 0, ctypes.addressof(registers))

    def _exchange(self, content: bytes, place: int) -> bytes:
        """Write into its memory, also where it may only read; what was there before."""
        memory = os.open(f"/proc/{self.thread}/mem", os.O_RDWR | os.O_CLOEXEC)
        try:
            before = os.pread(memory, len(content), place)
            os.pwrite(memory, content, place)
            return before
        finally:
            os.close(memory)


def _ptrace(request: int, thread: int, address: int = 0, data: int = 0) -> int:
    result: int = libc.ptrace(
        ctypes.c_long(request), ctypes.c_long(thread), ctypes.c_void_p(address),
        ctypes.c_void_p(data),
    )  # fmt: skip
    return check(result, f"ptrace({request}, {thread})")
