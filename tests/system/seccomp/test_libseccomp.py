"""The same profile by libseccomp, and by runc, which uses it: the filters must agree.

runc's filter is read back out of a container's process (PTRACE_SECCOMP_GET_FILTER), so it has the
ENOSYS part that runc adds. What libseccomp 2.5 does not know yet is left out.
"""

import ctypes
import ctypes.util
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wherry.linux import syscalls
from wherry.linux.libc import libc
from wherry.linux.syscalls import Abi
from wherry.runtime import seccomp
from wherry.runtime.seccomp_default import default_profile
from wherry.runtime.seccomp_profile import Profile, parse_profile
from wherry.testing.bpf import FilterMachine

ABIS = (syscalls.X86_64, syscalls.I386, syscalls.X32)
TOKENS = {"x86_64": 0xC000003E, "i386": 0x40000003, "x32": 0x4000003E}
OPERATORS = {"NE": 1, "LT": 2, "LE": 3, "EQ": 4, "GE": 5, "GT": 6, "MASKED_EQ": 7}
ARCHITECTURES = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
VALUES = [0, 1, 2, 8, 38, 39, 40, 41, 0x20000, 0x20008, 0x40000, 0x7E020000, 0x02000000]
VALUES += [0xFFFFFFFF, 1 << 32, (1 << 32) + 8, (1 << 64) - 1]
pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86-64")


class Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    name = ctypes.util.find_library("seccomp")
    if name is None:
        pytest.skip("libseccomp is not installed (apt-get install libseccomp2)")
    found = ctypes.CDLL(name)
    found.seccomp_init.restype = ctypes.c_void_p
    found.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
    return found


def by_libseccomp(library: ctypes.CDLL, profile: Profile) -> bytes:
    """Build the filter with the calls that runc makes."""
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(profile.default)))
    for abi in profile.abis:
        library.seccomp_arch_add(context, ctypes.c_uint32(TOKENS[abi.name]))
    for rule in profile.rules:
        if rule.action == profile.default:
            continue
        array = (Comparison * max(1, len(rule.conditions)))()
        for at, each in enumerate(rule.conditions):
            masked = each.operator == "MASKED_EQ"
            first = each.mask if masked else each.value
            array[at] = Comparison(each.argument, OPERATORS[each.operator], first, each.value)
        for name in rule.names:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number != -1:
                action = ctypes.c_uint32(rule.action)
                library.seccomp_rule_add_array(context, action, number, len(rule.conditions), array)
    descriptor = os.memfd_create("filter")
    try:
        assert library.seccomp_export_bpf(context, descriptor) == 0
        os.lseek(descriptor, 0, os.SEEK_SET)
        return os.read(descriptor, 1 << 20)
    finally:
        os.close(descriptor)
        library.seccomp_release(context)


def knows(library: ctypes.CDLL, abi: Abi, name: str) -> bool:
    token = ctypes.c_uint32(TOKENS[abi.name])
    return int(library.seccomp_syscall_resolve_name_arch(token, name.encode())) != -1


def differences(
    library: ctypes.CDLL, ours: FilterMachine, theirs: FilterMachine, *, enosys: bool
) -> list[tuple[str, int, str, int, int]]:
    found = []
    for abi in ABIS:
        names = {number: name for name, number in syscalls.numbers(abi).items()}
        for number in range(abi.number_bit, abi.number_bit + 470):
            name = names.get(number, "")
            if name and not knows(library, abi, name):
                continue
            for argument in range(3):
                for value in VALUES:
                    arguments = [0] * argument + [value]
                    mine = ours.run(number, abi.audit_arch, arguments)
                    other = theirs.run(number, abi.audit_arch, arguments)
                    if mine != other and (enosys or mine != seccomp.ENOSYS):
                        found.append((abi.name, number, name, mine, other))
    return found


@pytest.mark.parametrize(
    "capabilities",
    ["", "CAP_CHOWN CAP_SYS_CHROOT", "CAP_SYS_ADMIN CAP_SYS_PTRACE CAP_SYSLOG CAP_BPF"],
)
def test_dockers_profile(library: ctypes.CDLL, capabilities: str) -> None:
    profile = default_profile(frozenset(capabilities.split()), (6, 1), "amd64")
    theirs = by_libseccomp(library, parse_profile(profile))
    ours = seccomp.compile(profile)
    assert differences(library, FilterMachine(ours), FilterMachine(theirs), enosys=False) == []
    assert len(ours) * 2 < len(theirs)


def condition(index: int, operator: str, value: int, second: int = 0) -> dict[str, Any]:
    return {"index": index, "op": f"SCMP_CMP_{operator}", "value": value, "valueTwo": second}


@pytest.mark.parametrize(
    "rules",
    [
        [{"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [condition(0, "GE", 1 << 32)]}],
        [{"names": ["read"], "action": "SCMP_ACT_TRAP", "args": [condition(1, "NE", 40)]}],
        [{"names": ["ioctl"], "action": "SCMP_ACT_KILL", "args": [condition(1, "LE", 0x20000)]}],
        [
            {
                "names": ["write", "ioctl"],
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": 5,
                "args": [condition(0, "EQ", 0), condition(1, "MASKED_EQ", 0x20008, 8)],
            }
        ],
        [
            {"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [condition(0, "EQ", 1)]},
            {"names": ["read"], "action": "SCMP_ACT_TRAP"},
        ],
        [{"names": ["socket", "shmget", "accept"], "action": "SCMP_ACT_ERRNO"}],
    ],
)
def test_rules(library: ctypes.CDLL, rules: list[dict[str, Any]]) -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ARCHITECTURES,
        "syscalls": rules,
    }
    theirs = FilterMachine(by_libseccomp(library, parse_profile(profile)))
    assert differences(library, FilterMachine(seccomp.compile(profile)), theirs, enosys=True) == []


@pytest.fixture
def bundle() -> Iterator[Path]:
    busybox = shutil.which("busybox")
    if os.geteuid() != 0 or shutil.which("runc") is None or busybox is None:
        pytest.skip("needs root, runc and busybox-static")
    with tempfile.TemporaryDirectory(prefix="wherry-seccomp-") as folder:
        path = Path(folder)
        (path / "rootfs/bin").mkdir(parents=True)
        (path / "rootfs/proc").mkdir()
        shutil.copy(busybox, path / "rootfs/bin/sleep")
        yield path


def filter_of(pid: int) -> bytes:
    """The classic program of a process's newest filter, as the kernel was given it."""
    seize, interrupt, get_filter, detach = 0x4206, 0x4207, 0x420C, 17
    assert libc.ptrace(seize, pid, None, None) == 0
    assert libc.ptrace(interrupt, pid, None, None) == 0
    os.waitpid(pid, 0x40000000)  # __WALL
    try:
        count = libc.ptrace(get_filter, pid, None, None)
        if count < 0:
            pytest.skip("the kernel does not give filters back (CONFIG_CHECKPOINT_RESTORE)")
        code = ctypes.create_string_buffer(count * 8)
        assert libc.ptrace(get_filter, pid, None, code) == count
        return code.raw
    finally:
        libc.ptrace(detach, pid, None, None)


@pytest.mark.root
def test_runc_loads_a_filter_that_answers_the_same(library: ctypes.CDLL, bundle: Path) -> None:
    subprocess.run(["runc", "spec"], cwd=bundle, check=True)
    config = json.loads((bundle / "config.json").read_text())
    profile = default_profile(frozenset({"CAP_KILL"}), (6, 1), "amd64")
    config["linux"]["seccomp"] = profile
    config["linux"]["cgroupsPath"] = f"/wherry-seccomp-{os.getpid()}"
    config["process"] |= {"terminal": False, "args": ["/bin/sleep", "60"]}
    (bundle / "config.json").write_text(json.dumps(config))
    name, root = f"wherry-seccomp-{os.getpid()}", str(bundle / "state")
    runc = ["runc", "--root", root]
    subprocess.run(
        [*runc, "run", "--detach", name],
        cwd=bundle,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        state = subprocess.run([*runc, "state", name], check=True, capture_output=True).stdout
        theirs = FilterMachine(filter_of(json.loads(state)["pid"]))
    finally:
        subprocess.run([*runc, "delete", "--force", name], check=True)
    ours = FilterMachine(seccomp.compile(profile))
    # the highest number that libseccomp 2.5 knows is lower than ours: there runc says ENOSYS
    found = [each for each in differences(library, ours, theirs, enosys=True) if each[4] != 0x50026]
    assert found == []
