"""Reading linux.seccomp: what is accepted, what is refused, and where the text points."""

from typing import Any

import pytest

from wherry.kit.errors import InvalidInput, Unsupported
from wherry.linux import bpf, syscalls
from wherry.runtime import seccomp_profile as profiles
from wherry.runtime.seccomp_profile import Condition, Rule, parse_profile

ALLOW = {"defaultAction": "SCMP_ACT_ALLOW"}


def rule(**fields: Any) -> dict[str, Any]:
    return ALLOW | {"syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO"} | fields]}


def test_the_native_architecture_is_always_there_and_foreign_ones_have_no_effect() -> None:
    parsed = parse_profile(ALLOW | {"architectures": ["SCMP_ARCH_MIPS", "SCMP_ARCH_RISCV64"]})
    assert parsed.abis == (syscalls.native(),)


def test_error_numbers_go_into_the_action() -> None:
    assert parse_profile({"defaultAction": "SCMP_ACT_ERRNO"}).default == profiles.ERRNO | 1
    found = parse_profile({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 0}).default
    assert found == profiles.ERRNO
    assert parse_profile(rule(errnoRet=38)).rules == (Rule(("read",), profiles.ERRNO | 38),)


def test_conditions_on_one_argument_become_rules_of_their_own() -> None:
    first = {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}
    second = {"index": 0, "value": 5, "op": "SCMP_CMP_GT"}
    parsed = parse_profile(rule(args=[first, second]))
    assert [each.conditions for each in parsed.rules] == [
        (Condition(0, "EQ", 1),),
        (Condition(0, "GT", 5),),
    ]


def test_a_masked_value_outside_its_mask_is_cut() -> None:
    masked = {"index": 1, "value": 0xF0, "valueTwo": 0x1FF, "op": "SCMP_CMP_MASKED_EQ"}
    parsed = parse_profile(rule(args=[masked]))
    assert parsed.rules[0].conditions == (Condition(1, "MASKED_EQ", 0xF0, 0xF0),)


def test_flags() -> None:
    names = ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]
    assert parse_profile(ALLOW | {"flags": names}).flags == bpf.FLAG_LOG | bpf.FLAG_SPEC_ALLOW


def test_a_notifying_profile_needs_a_listener() -> None:
    with pytest.raises(Unsupported, match="needs listenerPath"):
        parse_profile(rule(action="SCMP_ACT_NOTIFY"))
    listening = rule(action="SCMP_ACT_NOTIFY") | {
        "listenerPath": "/run/agent.sock",
        "flags": ["SECCOMP_FILTER_FLAG_TSYNC"],
    }
    assert parse_profile(listening).flags == bpf.FLAG_NEW_LISTENER


@pytest.mark.parametrize(
    ("profile", "text"),
    [
        ([], r"linux.seccomp: expected an object, got \[\]"),
        ({}, "linux.seccomp.defaultAction: '' is not a seccomp action"),
        ({"defaultAction": "ALLOW"}, "defaultAction: 'ALLOW' is not"),
        (ALLOW | {"defaultErrnoRet": 3}, "SCMP_ACT_ALLOW cannot return an error number"),
        ({"defaultAction": "SCMP_ACT_NOTIFY"}, "cannot be the default"),
        (ALLOW | {"architectures": ["SCMP_ARCH_VAX"]}, "'SCMP_ARCH_VAX' is not an architecture"),
        (ALLOW | {"flags": ["FAST"]}, "linux.seccomp.flags: 'FAST' is not a flag"),
        (ALLOW | {"syscalls": {}}, "linux.seccomp.syscalls: expected a list"),
        (rule(names=[]), r"syscalls\[0\].names: at least one system call"),
        (rule(names=["read", 3]), r"syscalls\[0\].names: expected names of system calls, got 3"),
        (rule(action="SCMP_ACT_NOTIFY", names=["write"]), "cannot be used for write"),
        (rule(args=[{"index": 6, "op": "SCMP_CMP_EQ"}]), r"args\[0\].index: expected a number"),
        (rule(args=[{"index": 0, "op": "SCMP_CMP_ALMOST"}]), r"args\[0\].op: 'SCMP_CMP_ALMOST'"),
        (rule(args=[{"index": 0, "value": -1, "op": "SCMP_CMP_EQ"}]), r"args\[0\].value"),
        (rule(args=[{"index": True, "op": "SCMP_CMP_EQ"}]), r"args\[0\].index"),
        (rule(errnoRet=70000), r"syscalls\[0\].errnoRet: expected a number from 0 to 65535"),
        (ALLOW | {"listenerPath": 3}, "listenerPath: expected a string"),
    ],
)
def test_what_is_refused(profile: object, text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        parse_profile(profile)
