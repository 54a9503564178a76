"""The filter of one-id containers: success for owners, ids and devices, nothing else touched."""

import stat

import pytest

from wherry.linux import syscalls
from wherry.runtime.seccomp_one_id import one_id_filter
from wherry.testing.bpf import FilterMachine

ALLOW, SUCCESS = 0x7FFF0000, 0x50000
pytestmark = pytest.mark.skipif(
    syscalls.native() is not syscalls.X86_64, reason="numbers of x86-64"
)


@pytest.mark.parametrize("abi", [syscalls.X86_64, syscalls.I386, syscalls.X32])
def test_answers(abi: syscalls.Abi) -> None:
    machine = FilterMachine(one_id_filter(["SCMP_ARCH_X86", "SCMP_ARCH_X32"]))
    table = syscalls.numbers(abi)

    def ask(name: str, *arguments: int) -> int:
        return machine.run(table[name], abi.audit_arch, arguments)

    for name in ("chown", "fchownat", "setuid", "setresgid", "setgroups", "setfsuid"):
        assert ask(name) == SUCCESS
    for kind in (stat.S_IFCHR, stat.S_IFBLK):
        assert ask("mknod", 0, kind | 0o600) == ask("mknodat", 0, 0, kind | 0o600) == SUCCESS
    for kind in (stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFREG, 0):
        assert ask("mknod", 0, kind | 0o600) == ask("mknodat", 0, 0, kind | 0o600) == ALLOW
    for name in ("getuid", "chmod", "open", "execve", "capset"):
        assert ask(name) == ALLOW
