"""Docker's own profile form made plain."""

from typing import Any

import pytest

from wherry.kit.errors import InvalidInput
from wherry.runtime.seccomp_conditions import Facts, resolve

FACTS = Facts(frozenset({"CAP_CHOWN"}), (5, 10), "amd64")


def kept(facts: Facts = FACTS, **conditions: Any) -> bool:
    rule = {"names": ["read"], "action": "SCMP_ACT_ALLOW"} | conditions
    plain: Any = resolve({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}, facts)
    assert plain["syscalls"] in ([], [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}])
    return bool(plain["syscalls"])


@pytest.mark.parametrize(
    ("conditions", "wanted"),
    [
        ({}, True),
        ({"includes": {}, "excludes": None}, True),
        ({"includes": {"caps": ["CAP_CHOWN"]}}, True),
        ({"includes": {"caps": ["CAP_CHOWN", "CAP_BPF"]}}, False),
        ({"excludes": {"caps": ["CAP_BPF", "CAP_CHOWN"]}}, False),
        ({"excludes": {"caps": ["CAP_BPF"]}}, True),
        ({"includes": {"arches": ["arm64", "amd64"]}}, True),
        ({"includes": {"arches": ["arm64"]}}, False),
        ({"excludes": {"arches": ["amd64"]}}, False),
        ({"includes": {"minKernel": "5.10"}}, True),
        ({"includes": {"minKernel": "5.11"}}, False),
        ({"excludes": {"minKernel": "5.9"}}, False),
        ({"excludes": {"minKernel": "6.0"}}, True),
    ],
)
def test_conditions(conditions: dict[str, Any], wanted: bool) -> None:
    assert kept(**conditions) is wanted


def test_the_32_bit_processor_has_dockers_name() -> None:
    facts = FACTS._replace(architecture="386")
    assert kept(facts, includes={"arches": ["x86"]})


def test_architectures_of_the_map() -> None:
    entries = [
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
    ]
    plain = resolve({"defaultAction": "SCMP_ACT_ALLOW", "archMap": entries}, FACTS)
    assert plain["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]


def test_the_old_single_name() -> None:
    rule = {"name": "read", "action": "SCMP_ACT_ALLOW", "comment": "x", "args": []}
    plain = resolve({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}, FACTS)
    assert plain["syscalls"] == [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": []}]


@pytest.mark.parametrize(
    ("profile", "text"),
    [
        ("x", "profile: expected an object"),
        ({"architectures": ["a"], "archMap": [{}]}, "either 'architectures' or 'archMap'"),
        ({"syscalls": [{"name": "a", "names": ["b"]}]}, "either 'name' or 'names'"),
        ({"syscalls": [{"includes": {"minKernel": "five"}}]}, r"syscalls\[0\].includes.minKernel"),
        ({"syscalls": [3]}, r"syscalls\[0\]: expected an object"),
        ({"syscalls": [{"includes": {"caps": "CAP"}}]}, r"syscalls\[0\].caps: expected a list"),
    ],
)
def test_what_is_refused(profile: object, text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        resolve(profile, FACTS)
