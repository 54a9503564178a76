"""Sysctls, processors, scheduler names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.kit.errors import InvalidInput
from wherry.runtime import settings
from wherry.runtime.spec_types import IoPriority, Linux, Namespace, Process, Scheduler

ALL = Linux(namespaces=tuple(Namespace(kind) for kind in ("ipc", "net", "uts", "user")))


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/conf/eth0.1/mtu", "net/ipv4/conf/eth0.1/mtu"),
        ("net.ipv4.conf.eth0/1.mtu", "net/ipv4/conf/eth0.1/mtu"),
    ],
)
def test_the_first_separator_decides(key: str, path: str) -> None:
    assert settings.sysctl_path(key) == path


@pytest.mark.parametrize(
    "key", ["net/../kernel/core_pattern", "net..x", "", "net/./x", "net//x", "/net/x"]
)
def test_a_sysctl_never_leaves_its_place(key: str) -> None:
    with pytest.raises(InvalidInput):
        settings.check_sysctls(ALL._replace(sysctl=((key, "1"),)))


@pytest.mark.parametrize("key", ["kernel.core_pattern", "vm.swappiness", "kernel.hostname"])
def test_a_sysctl_of_the_host_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput, match="sysctl"):
        settings.check_sysctls(ALL._replace(sysctl=((key, "1"),)))


@pytest.mark.parametrize(
    "key", ["kernel.shmmax", "fs.mqueue.msg_max", "net.core.somaxconn", "kernel.domainname"]
)
def test_a_sysctl_needs_its_namespace(key: str) -> None:
    settings.check_sysctls(ALL._replace(sysctl=((key, "1"),)))
    with pytest.raises(InvalidInput, match="namespace"):
        settings.check_sysctls(Linux(sysctl=((key, "1"),)))


@given(st.sets(st.integers(0, 300), min_size=1))
def test_lists_of_processors(numbers: set[int]) -> None:
    text = ",".join(str(number) for number in sorted(numbers))
    assert settings.parse_processors(text, "x") == numbers
    low, high = min(numbers), max(numbers)
    assert settings.parse_processors(f"{low}-{high}", "x") == set(range(low, high + 1))


@pytest.mark.parametrize("text", ["", "a", "3-1", "1-", "-1", "0-99999999999", "0,,1"])
def test_bad_lists_of_processors(text: str) -> None:
    with pytest.raises(InvalidInput, match="process"):
        settings.parse_processors(text, "process.x")


@pytest.mark.parametrize(
    "process",
    [
        Process(("x",), scheduler=Scheduler("SCHED_FUN")),
        Process(("x",), scheduler=Scheduler("SCHED_OTHER", flags=("FUN",))),
        Process(("x",), io_priority=IoPriority("IOPRIO_CLASS_FUN", 1)),
    ],
)
def test_unknown_names(process: Process) -> None:
    with pytest.raises(InvalidInput, match="unknown"):
        settings.set_priorities(process)
