"""Docker's default profile: facts that users rely on."""

from typing import Any

import pytest

from wherry.kit.errors import Unsupported
from wherry.linux import syscalls
from wherry.runtime import seccomp, seccomp_default
from wherry.runtime.seccomp_default import default_profile
from wherry.testing.bpf import FilterMachine

ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x50001, 0x50026
pytestmark = pytest.mark.skipif(
    syscalls.native() is not syscalls.X86_64, reason="numbers of x86-64"
)


def ask(
    name: str, *arguments: int, capabilities: str = "", kernel: tuple[int, int] = (6, 1)
) -> int:
    profile = default_profile(frozenset(capabilities.split()), kernel, "amd64")
    machine = FilterMachine(seccomp.compile(profile))
    number = syscalls.numbers(syscalls.X86_64)[name]
    return machine.run(number, syscalls.X86_64.audit_arch, arguments)


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("mount", "CAP_SYS_ADMIN"),
        ("clone3", "CAP_SYS_ADMIN"),
        ("unshare", "CAP_SYS_ADMIN"),
        ("open_by_handle_at", "CAP_DAC_READ_SEARCH"),
        ("reboot", "CAP_SYS_BOOT"),
        ("chroot", "CAP_SYS_CHROOT"),
        ("finit_module", "CAP_SYS_MODULE"),
        ("clock_settime", "CAP_SYS_TIME"),
        ("syslog", "CAP_SYSLOG"),
        ("bpf", "CAP_BPF"),
        ("perf_event_open", "CAP_PERFMON"),
        ("mbind", "CAP_SYS_NICE"),
        ("iopl", "CAP_SYS_RAWIO"),
    ],
)
def test_a_capability_brings_its_calls(name: str, capability: str) -> None:
    assert ask(name) in (EPERM, ENOSYS)
    assert ask(name, capabilities=capability) == ALLOW


def test_clone_may_not_make_namespaces() -> None:
    assert ask("clone", 0x11) == ALLOW
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x10000000, 0x20000000, 0x40000000):
        assert ask("clone", flag | 0x11) == EPERM
    assert ask("clone3") == ENOSYS
    assert ask("clone", 0x10000000, capabilities="CAP_SYS_ADMIN") == ALLOW


@pytest.mark.parametrize(("family", "wanted"), [(1, ALLOW), (38, EPERM), (39, ALLOW), (40, EPERM)])
def test_socket_families(family: int, wanted: int) -> None:
    assert ask("socket", family) == wanted


def test_personalities() -> None:
    assert ask("personality", 0xFFFFFFFF) == ALLOW
    assert ask("personality", 0x0040000) == EPERM  # ADDR_NO_RANDOMIZE


def test_tracing_is_allowed_where_it_cannot_bypass_the_filter() -> None:
    assert ask("ptrace", kernel=(4, 7)) == EPERM
    assert ask("ptrace", kernel=(4, 8)) == ALLOW
    assert ask("ptrace", kernel=(4, 7), capabilities="CAP_SYS_PTRACE") == ALLOW


@pytest.mark.parametrize(
    "name", ["keyctl", "add_key", "kexec_load", "io_uring_setup", "userfaultfd"]
)
def test_never_allowed(name: str) -> None:
    everything = " ".join(seccomp_default._WITH_CAPABILITY)
    assert ask(name, capabilities=everything) == EPERM


def test_every_name_is_known_somewhere() -> None:
    profile: Any = default_profile(frozenset(seccomp_default._WITH_CAPABILITY), (6, 1), "amd64")
    arm: Any = default_profile(frozenset(), (6, 1), "arm64")
    known = set().union(*(syscalls.numbers(abi) for abi in syscalls.ABIS))
    names = {name for one in (profile, arm) for rule in one["syscalls"] for name in rule["names"]}
    elsewhere = {"fstatat64", "riscv_hwprobe", "clock_getres_time64", "utimensat_time64"}
    assert names - known <= elsewhere | {"timer_gettime", "futex_time64"}


def test_other_architectures_are_refused() -> None:
    with pytest.raises(Unsupported, match="'sparc64'"):
        default_profile(frozenset(), (6, 1), "sparc64")
