"""Limits as writes for cgroup v2, and the conversions from v1's scales."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.kit.errors import InvalidInput
from wherry.runtime.cgroups.plan_v2 import (
    ignored_on_v2,
    plan_v2,
    swap_alone,
    weight_of_blkio,
    weight_of_shares,
)
from wherry.runtime.cgroups.writes import Write
from wherry.runtime.resources import (
    BlockIo,
    Cpu,
    HugepageLimit,
    Memory,
    Network,
    Resources,
    ThrottleDevice,
    WeightDevice,
)


def lines(resources: Resources) -> list[str]:
    return [f"{write.file} {write.value}" for write in plan_v2(resources)]


@pytest.mark.parametrize(
    ("shares", "weight"), [(2, 1), (3, 1), (1024, 100), (512, 59), (2048, 174), (262144, 10000)]
)
def test_shares_as_weight(shares: int, weight: int) -> None:
    assert abs(weight_of_shares(shares) - weight) <= 1


@given(st.integers(2, 262143))
def test_more_shares_never_weigh_less(shares: int) -> None:
    assert 1 <= weight_of_shares(shares) <= weight_of_shares(shares + 1) <= 10000


@pytest.mark.parametrize(("weight", "wanted"), [(10, 1), (500, 4950), (1000, 10000)])
def test_block_io_weight(weight: int, wanted: int) -> None:
    assert weight_of_blkio(weight) == wanted


@pytest.mark.parametrize(
    ("swap", "memory", "wanted"),
    [
        (0, 0, None),
        (0, 100, None),
        (0, -1, -1),
        (-1, 100, -1),
        (150, 100, 50),
        (100, 100, 0),
        (70, -1, 70),
    ],
)
def test_swap_without_memory(swap: int, memory: int, wanted: int | None) -> None:
    assert swap_alone(swap, memory) == wanted


@pytest.mark.parametrize(("swap", "memory"), [(100, 0), (50, 100), (50, -7)])
def test_swap_that_makes_no_sense(swap: int, memory: int) -> None:
    with pytest.raises(InvalidInput, match=r"memory\.swap"):
        swap_alone(swap, memory)


def test_memory() -> None:
    assert lines(Resources(memory=Memory(limit=1000, swap=1500, reservation=500))) == [
        "memory.swap.max 500",
        "memory.max 1000",
        "memory.low 500",
    ]
    assert lines(Resources(memory=Memory(limit=-1))) == ["memory.swap.max max", "memory.max max"]
    assert lines(Resources(memory=Memory(limit=5))) == ["memory.max 5"]
    no_swap = plan_v2(Resources(memory=Memory(limit=1000, swap=1000)))[0]
    assert no_swap == Write("memory", "memory.swap.max", "0", optional=True)


def test_cpu() -> None:
    assert lines(Resources(cpu=Cpu(shares=1024, quota=50000, period=0, burst=10))) == [
        "cpu.weight 100",
        "cpu.max.burst 10",
        "cpu.max 50000 100000",
    ]
    assert lines(Resources(cpu=Cpu(quota=-1, period=20000))) == ["cpu.max max 20000"]
    assert lines(Resources(cpu=Cpu(idle=0, cpus="1", mems="0"))) == [
        "cpu.idle 0",
        "cpuset.cpus 1",
        "cpuset.mems 0",
    ]
    with pytest.raises(InvalidInput, match="minimum allowed"):
        plan_v2(Resources(cpu=Cpu(shares=1)))


def test_block_io() -> None:
    io = BlockIo(
        weight=1000,
        weight_devices=(WeightDevice(8, 0, 10, None),),
        read_bps=(ThrottleDevice(8, 0, 1000),),
        write_iops=(ThrottleDevice(8, 16, 0),),
    )
    writes = plan_v2(Resources(block_io=io))
    assert [f"{write.file} {write.value}" for write in writes] == [
        "io.bfq.weight 1000",
        "io.bfq.weight 8:0 10",
        "io.max 8:0 rbps=1000",
        "io.max 8:16 wiops=max",
    ]
    assert writes[0].instead == Write("io", "io.weight", "10000")
    assert writes[1].instead == Write("io", "io.weight", "8:0 1")


def test_unified_has_the_last_word() -> None:
    resources = Resources(
        pids=5,
        hugepage_limits=(HugepageLimit("1GB", 7),),
        unified=(("memory.high", "1M"), ("pids.max", "9")),
    )
    assert lines(resources) == [
        "pids.max 5",
        "hugetlb.1GB.max 7",
        "hugetlb.1GB.rsvd.max 7",
        "memory.high 1M",
        "pids.max 9",
    ]


def test_what_v2_does_not_have_is_told() -> None:
    assert ignored_on_v2(Resources(memory=Memory(limit=5))) == []
    resources = Resources(
        memory=Memory(swappiness=3, disable_oom_killer=True, kernel=5),
        cpu=Cpu(realtime_period=1),
        network=Network(class_id=1),
    )
    texts = ignored_on_v2(resources)
    assert len(texts) == 5
    assert texts[0] == "cgroup v2 does not support memory swappiness; it is ignored"
    assert plan_v2(resources) == []
