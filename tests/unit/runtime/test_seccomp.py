"""Compiled filters against a plain reading of the profile, for all calls and many arguments."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.kit.errors import InvalidInput
from wherry.linux import syscalls
from wherry.linux.syscalls import Abi
from wherry.runtime import seccomp
from wherry.runtime.seccomp_default import default_profile
from wherry.runtime.seccomp_profile import ACTIONS, parse_profile
from wherry.testing.bpf import FilterMachine

EPERM, ENOSYS = 0x50001, 0x50026
X86 = [syscalls.X86_64, syscalls.I386, syscalls.X32]
ARCHITECTURES = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
pytestmark = pytest.mark.skipif(
    syscalls.native() is not syscalls.X86_64, reason="numbers of x86-64"
)

SOCKETCALL = {"socket": 1, "connect": 3, "accept4": 18}
IPC = {"semop": 1, "shmget": 23}
STRICTNESS = ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP"]
STRICTNESS += ["SCMP_ACT_ERRNO", "SCMP_ACT_TRACE", "SCMP_ACT_LOG", "SCMP_ACT_ALLOW"]


def answer(node: dict[str, Any], action: str = "action", errno: str = "errnoRet") -> int:
    value = ACTIONS[node[action]]
    takes_data = node[action] in ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
    return value | (node.get(errno, 1) if takes_data else 0)


def compare(condition: dict[str, Any], value: int, wide: bool) -> bool:
    limit = (1 << 64) - 1 if wide else (1 << 32) - 1
    value, wanted = value & limit, condition["value"] & limit
    second = condition.get("valueTwo", 0) & limit
    return {
        "SCMP_CMP_NE": value != wanted,
        "SCMP_CMP_LT": value < wanted,
        "SCMP_CMP_LE": value <= wanted,
        "SCMP_CMP_EQ": value == wanted,
        "SCMP_CMP_GE": value >= wanted,
        "SCMP_CMP_GT": value > wanted,
        "SCMP_CMP_MASKED_EQ": value & wanted == second & wanted,
    }[condition["op"]]


def simple_rules(
    profile: dict[str, Any], abi: Abi, number: int
) -> list[tuple[int, list[dict[str, Any]]]]:
    """(answer, conditions) of the rules about one number."""
    default = answer(profile, "defaultAction", "defaultErrnoRet")
    table, found = syscalls.numbers(abi), []
    for rule in profile["syscalls"]:
        conditions = rule.get("args", [])
        indexes = [condition["index"] for condition in conditions]
        split = (
            [[each] for each in conditions] if len(set(indexes)) < len(indexes) else [conditions]
        )
        if answer(rule) == default:
            continue
        for name in rule["names"]:
            if table.get(name) == number:
                found += [(answer(rule), each) for each in split]
            hidden = any(split) and STRICTNESS.index(rule["action"]) >= STRICTNESS.index(
                profile["defaultAction"]
            )
            if abi is syscalls.I386 and not hidden:
                if name in SOCKETCALL and number == table["socketcall"]:
                    which = {"index": 0, "value": SOCKETCALL[name], "op": "SCMP_CMP_EQ"}
                    found.append((answer(rule), [which]))
                if name in IPC and number == table["ipc"]:
                    which = {"index": 0, "value": 0xFFFF, "valueTwo": IPC[name]}
                    found.append((answer(rule), [which | {"op": "SCMP_CMP_MASKED_EQ"}]))
    return found


def expected(profile: dict[str, Any], abi: Abi, number: int, arguments: list[int]) -> int:
    """What the profile says, read rule by rule."""
    rules = simple_rules(profile, abi, number)
    for result, conditions in rules:
        if not conditions:
            return result
    exact = [rule for rule in rules if all(each["op"] == "SCMP_CMP_EQ" for each in rule[1])]
    for result, conditions in exact + [rule for rule in rules if rule not in exact]:
        if all(compare(each, arguments[each["index"]], abi.wide) for each in conditions):
            return result
    table = syscalls.numbers(abi)
    named = [table[name] for rule in profile["syscalls"] for name in rule["names"] if name in table]
    lets_through = profile["defaultAction"] in ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE")
    if abi is syscalls.I386:  # calls that only exist behind these two
        named += [at for at in (102, 117) if simple_rules(profile, abi, at)]
    highest = max(named, default=0)  # a profile that names number 0 only is no measure (runc)
    if highest and not lets_through and number > highest:
        return ENOSYS
    return answer(profile, "defaultAction", "defaultErrnoRet")


NAMES = ["read", "socket", "connect", "accept4", "semop", "shmget", "personality", "clone", "ioctl"]
NAMES += ["rt_sigaction", "set_tls", "openat2", "listns", "no_such_call", "mmap", "ipc"]
VALUES = st.one_of(
    st.sampled_from([0, 1, 2, 8, 38, 40, 0xFFFF, 0x7E020000, 1 << 31, (1 << 32) - 1, 1 << 32]),
    st.sampled_from([(1 << 32) + 1, (1 << 63), (1 << 64) - 1]),
    st.integers(0, (1 << 64) - 1),
)
CONDITIONS = st.lists(
    st.fixed_dictionaries(
        {
            "index": st.integers(0, 2),
            "op": st.sampled_from([f"SCMP_CMP_{op}" for op in "NE LT LE EQ GE GT".split()]),
            "value": VALUES,
        }
    )
    | st.fixed_dictionaries(
        {
            "index": st.integers(0, 2),
            "op": st.just("SCMP_CMP_MASKED_EQ"),
            "value": VALUES,
            "valueTwo": VALUES,
        }
    ),
    max_size=3,
)


def with_errno(node: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    if node["action"] not in ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"):
        return st.just(node)
    return st.integers(0, 4095).map(lambda number: node | {"errnoRet": number})


RULES = st.fixed_dictionaries(
    {
        "names": st.lists(st.sampled_from(NAMES), min_size=1, max_size=4),
        "action": st.sampled_from(STRICTNESS),
        "args": CONDITIONS,
    }
).flatmap(with_errno)
PROFILES = st.fixed_dictionaries(
    {
        "defaultAction": st.sampled_from(STRICTNESS),
        "architectures": st.just(ARCHITECTURES),
        "syscalls": st.lists(RULES, max_size=6),
    }
)


def interesting_values(profile: dict[str, Any]) -> list[int]:
    values = [0, 1, 3, 18, 23, 0x10017, (1 << 32) - 1, 1 << 32, (1 << 64) - 1]
    for rule in profile["syscalls"]:
        for condition in rule.get("args", []):
            for value in (condition["value"], condition.get("valueTwo", 0)):
                values += [value, value + 1, max(value - 1, 0), value ^ (1 << 32), value ^ 1]
    return values


def check(profile: dict[str, Any], numbers: list[int], picks: random.Random, tries: int) -> None:
    machine = FilterMachine(seccomp.compile(profile))
    values = interesting_values(profile)
    for abi in X86:
        for number in numbers:
            for _ in range(tries):
                arguments = [picks.choice(values) for _ in range(6)]
                full = number | abi.number_bit
                result = machine.run(full, abi.audit_arch, arguments)
                wanted = expected(profile, abi, full, arguments)
                assert result == wanted, (abi.name, number, arguments)


@settings(max_examples=300, deadline=None)
@given(PROFILES, st.integers(0, 1000))
def test_any_profile_means_what_it_says(profile: dict[str, Any], seed: int) -> None:
    numbers = {
        number for abi in X86 for name, number in syscalls.numbers(abi).items() if name in NAMES
    }
    near = {number & 0xFFFF for number in numbers}
    near |= {number + 1 for number in near} | {102, 117, 600, 0x3FFFFFFF}
    check(profile, sorted(near), random.Random(seed), tries=4)


@pytest.mark.parametrize("capabilities", [(), ("CAP_SYS_ADMIN", "CAP_SYS_PTRACE")])
def test_dockers_profile_for_every_number(capabilities: tuple[str, ...]) -> None:
    profile = default_profile(frozenset(capabilities), (6, 1), "amd64")
    check(profile, list(range(600)), random.Random(1), tries=3)


def test_dockers_profile_is_small_and_shallow() -> None:
    profile = default_profile(frozenset(), (6, 1), "amd64")
    program = seccomp.compile(profile)
    assert len(program) // 8 < 350
    machine = FilterMachine(program)
    depths = []
    for number in range(470):
        machine.run(number, syscalls.X86_64.audit_arch)
        depths.append(machine.steps)
    assert max(depths) < 24
    assert sum(depths) / len(depths) < 13


def test_the_bytes_depend_on_the_profile_only() -> None:
    profile = default_profile(frozenset({"CAP_CHOWN"}), (6, 1), "amd64")
    assert seccomp.compile(profile) == seccomp.compile(profile)


def test_foreign_architectures_kill_the_thread() -> None:
    machine = FilterMachine(seccomp.compile({"defaultAction": "SCMP_ACT_ALLOW"}))
    assert machine.run(0, syscalls.X86_64.audit_arch) == ACTIONS["SCMP_ACT_ALLOW"]
    assert machine.run(3, syscalls.I386.audit_arch) == 0
    assert machine.run(0x40000000, syscalls.X86_64.audit_arch) == 0
    assert machine.run(-1, syscalls.X86_64.audit_arch) == ACTIONS["SCMP_ACT_ALLOW"]


def test_arm_has_its_private_calls() -> None:
    profile = parse_profile(default_profile(frozenset(), (6, 1), "arm64"))
    profile = profile._replace(abis=(syscalls.AARCH64, syscalls.ARM))
    machine = FilterMachine(seccomp.compile_profile(profile))
    arm, aarch64 = syscalls.ARM.audit_arch, syscalls.AARCH64.audit_arch
    assert machine.run(0xF0005, arm) == ACTIONS["SCMP_ACT_ALLOW"]  # set_tls
    assert machine.run(0xF0006, arm) == ENOSYS
    assert machine.run(97, aarch64) == EPERM  # unshare
    assert machine.run(500, aarch64) == ENOSYS


def test_a_denied_socket_is_denied_through_socketcall_too() -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86"],
        "syscalls": [{"names": ["socket", "shmget"], "action": "SCMP_ACT_ERRNO"}],
    }
    machine = FilterMachine(seccomp.compile(profile))
    i386 = syscalls.I386.audit_arch
    assert machine.run(102, i386, [1]) == EPERM
    assert machine.run(102, i386, [2]) == ACTIONS["SCMP_ACT_ALLOW"]
    assert machine.run(117, i386, [0x10017]) == EPERM  # version 1 of shmget


def test_a_profile_beyond_the_kernels_limit_is_refused() -> None:
    conditions = [{"index": 0, "value": 2 * value, "op": "SCMP_CMP_EQ"} for value in range(2100)]
    rule = {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": conditions}
    with pytest.raises(InvalidInput, match="BPF instructions"):
        seccomp.compile({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]})
