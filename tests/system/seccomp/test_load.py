"""Filters in the real kernel: loaded in forked children, which then make the calls."""

import errno
import os
import signal
import stat
import tempfile
from typing import Any

import pytest

from tests.system.seccomp.children import call, call_32, call_number, no_new_privs, outcome
from wherry.kit.errors import Unsupported
from wherry.linux import bpf, syscalls
from wherry.linux.libc import libc
from wherry.runtime import seccomp
from wherry.runtime.seccomp_default import default_profile
from wherry.runtime.seccomp_one_id import one_id_filter

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86-64")
X86 = ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]


def load(profile: dict[str, Any] | bytes, flags: int = 0) -> None:
    program = profile if isinstance(profile, bytes) else seccomp.compile(profile)
    no_new_privs()
    seccomp.load(program, flags)


def one(action: str, **fields: Any) -> dict[str, Any]:
    rule = {"names": ["getpgrp"], "action": action} | fields
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule], "architectures": X86}


def test_dockers_default_profile() -> None:
    def work() -> list[int]:
        load(default_profile(frozenset({"CAP_CHOWN"}), (6, 1), "amd64"))
        return [
            call("getpid") > 0,
            call("unshare", 0x10000000),
            call("keyctl", 0),
            call("clone3", 0, 0),
            call("socket", 40, 1, 0),
            call("socket", 1, 1, 0) > 0,
            call("personality", 0xFFFFFFFF),
            call("personality", 0x0040000),
            call_number(4000),
            call_32("getpid") == os.getpid(),
            call_32("unshare"),
        ]

    e = errno
    assert outcome(work) == [
        *(1, -e.EPERM, -e.EPERM, -e.ENOSYS, -e.EPERM, 1),
        *(0, -e.EPERM, -e.ENOSYS, 1, -e.EPERM),
    ]


@pytest.mark.parametrize(
    ("action", "fields", "wanted"),
    [
        ("SCMP_ACT_ERRNO", {"errnoRet": 77}, [-77]),
        ("SCMP_ACT_ERRNO", {}, [-errno.EPERM]),
        ("SCMP_ACT_ERRNO", {"errnoRet": 0}, [0]),
        ("SCMP_ACT_KILL_PROCESS", {}, signal.SIGSYS),
        ("SCMP_ACT_KILL_THREAD", {}, signal.SIGSYS),
        ("SCMP_ACT_TRAP", {}, signal.SIGSYS),
        ("SCMP_ACT_TRACE", {}, [-errno.ENOSYS]),  # nobody traces
        ("SCMP_ACT_LOG", {}, [os.getpgrp()]),
    ],
)
def test_actions(action: str, fields: dict[str, Any], wanted: object) -> None:
    def work() -> list[int]:
        load(one(action, **fields))
        return [call("getpgrp")]

    assert outcome(work) == wanted


def test_a_foreign_abi_is_killed() -> None:
    def work() -> list[int]:
        load({"defaultAction": "SCMP_ACT_ALLOW"})
        return [call_32("getpid")]

    assert outcome(work) is signal.SIGSYS


@pytest.mark.parametrize("value", [0, 5, 1 << 32, (1 << 64) - 1, 0xFFFFFFFF])
def test_64_bit_arguments(value: int) -> None:
    condition = {"index": 3, "value": value, "op": "SCMP_CMP_EQ"}
    profile = one("SCMP_ACT_ERRNO", args=[condition], errnoRet=70)

    def work() -> list[int]:
        load(profile)
        return [call("getpgrp", 1, 2, 3, given) for given in (value, value ^ 1, value ^ 1 << 32)]

    mine = os.getpgrp()
    assert outcome(work) == [-70, mine, mine]


@pytest.mark.parametrize("flags", [bpf.FLAG_LOG, bpf.FLAG_SPEC_ALLOW, bpf.FLAG_TSYNC, 7])
def test_flags(flags: int) -> None:
    def work() -> list[int]:
        load(one("SCMP_ACT_ERRNO"), flags)
        return [call("getpgrp")]

    assert outcome(work) == [-errno.EPERM]


def test_an_unknown_flag_is_said_to_be_unknown() -> None:
    def work() -> list[int]:
        try:
            load(one("SCMP_ACT_ERRNO"), 1 << 20)
        except Unsupported as error:
            return ["does not know the seccomp flags 0x100000" in str(error)]
        return []

    assert outcome(work) == [1]


def test_a_listener_gets_the_calls() -> None:
    profile = one("SCMP_ACT_NOTIFY") | {"listenerPath": "/x"}

    def work() -> list[int]:
        no_new_privs()
        listener = seccomp.load(seccomp.compile(profile), bpf.FLAG_NEW_LISTENER)
        assert listener is not None
        return ["seccomp notify" in os.readlink(f"/proc/self/fd/{listener}")]

    assert outcome(work) == [1]


def test_without_privilege_no_new_privs_is_needed() -> None:
    def work() -> list[int]:
        if os.geteuid() == 0:
            libc.setresuid(65533, 65533, 65533)
        try:
            seccomp.load(seccomp.compile(one("SCMP_ACT_ERRNO")))
        except PermissionError as error:
            return ["PR_SET_SECCOMP" in str(error)]
        return []

    assert outcome(work) == [1]


def test_one_id_containers() -> None:
    with tempfile.TemporaryDirectory() as folder:
        fifo, device = f"{folder}/fifo", f"{folder}/device"

        def work() -> list[int]:
            load(one_id_filter(X86))
            mine = os.getuid()
            os.setgroups([5, 6])
            os.setgid(1234)
            os.setuid(1234)
            os.chown(folder, 1234, 1234)
            os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 3))
            os.mkfifo(fifo)
            return [os.getuid() == mine, os.stat(folder).st_uid == mine]

        assert outcome(work) == [1, 1]
        assert stat.S_ISFIFO(os.stat(fifo).st_mode)
        assert not os.path.exists(device)


def test_of_two_errors_the_filter_loaded_last_decides() -> None:
    """So the filter of one-id containers wins over a profile that refuses chown."""
    denied = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["chown"], "action": "SCMP_ACT_ERRNO"}],
    }

    def work() -> list[int]:
        load(denied)
        before = call("chown", 0, 0, 0)
        load(one_id_filter([]))
        return [before, call("chown", 0, 0, 0)]

    assert outcome(work) == [-errno.EPERM, 0]


def test_the_bare_numbers_are_those_of_this_kernel() -> None:
    """Every call of ours exists here or says ENOSYS: none is another call by mistake."""
    table = syscalls.numbers(syscalls.X86_64)
    assert call_number(table["getpid"]) == os.getpid()
    assert call_number(table["getuid"]) == os.getuid()
