"""Limits as writes for cgroup v1."""

import pytest

from wherry.kit.errors import InvalidInput, Unsupported
from wherry.runtime.cgroups.plan_v1 import plan_v1
from wherry.runtime.cgroups.writes import Write
from wherry.runtime.resources import (
    BlockIo,
    Cpu,
    HugepageLimit,
    InterfacePriority,
    Memory,
    Network,
    Rdma,
    Resources,
    ThrottleDevice,
    WeightDevice,
)


def lines(resources: Resources) -> list[str]:
    return [f"{write.file} {write.value}" for write in plan_v1(resources)]


def test_nothing_asked_nothing_written() -> None:
    assert plan_v1(Resources()) == []
    assert plan_v1(Resources(memory=Memory(0, 0, 0), cpu=Cpu(0, 0, None, 0))) == []


def test_memory_and_swap_may_need_a_second_try() -> None:
    writes = plan_v1(Resources(memory=Memory(limit=1000, swap=2000, reservation=500)))
    assert writes == [
        Write("memory", "memory.limit_in_bytes", "1000", again=True),
        Write("memory", "memory.memsw.limit_in_bytes", "2000", again=True),
        Write("memory", "memory.soft_limit_in_bytes", "500"),
    ]


def test_no_memory_limit_means_no_swap_limit_either() -> None:
    writes = plan_v1(Resources(memory=Memory(limit=-1)))
    assert writes == [
        Write("memory", "memory.memsw.limit_in_bytes", "-1", optional=True),
        Write("memory", "memory.limit_in_bytes", "-1", again=True),
    ]


def test_unlimited_swap_needs_no_swap_accounting() -> None:
    assert plan_v1(Resources(memory=Memory(swap=-1)))[0].optional
    assert not plan_v1(Resources(memory=Memory(swap=1)))[0].optional


def test_swappiness_and_oom_killer() -> None:
    memory = Memory(swappiness=0, disable_oom_killer=True)
    assert lines(Resources(memory=memory)) == ["memory.oom_control 1", "memory.swappiness 0"]


def test_cpu() -> None:
    cpu = Cpu(shares=512, quota=50000, period=100000, burst=1000, idle=1, cpus="0-1", mems="0")
    assert lines(Resources(cpu=cpu)) == [
        "cpu.shares 512",
        "cpu.cfs_period_us 100000",
        "cpu.cfs_burst_us 1000",
        "cpu.cfs_quota_us 50000",
        "cpu.idle 1",
        "cpuset.cpus 0-1",
        "cpuset.mems 0",
    ]
    realtime = Cpu(realtime_period=1000000, realtime_runtime=950000)
    assert lines(Resources(cpu=realtime)) == [
        "cpu.rt_period_us 1000000",
        "cpu.rt_runtime_us 950000",
    ]


@pytest.mark.parametrize(("shares", "word"), [(1, "minimum"), (262145, "maximum")])
def test_shares_that_the_kernel_would_change(shares: int, word: str) -> None:
    with pytest.raises(InvalidInput, match=f"the {word} allowed cpu-shares is"):
        plan_v1(Resources(cpu=Cpu(shares=shares)))


@pytest.mark.parametrize(("limit", "text"), [(-1, "max"), (0, "max"), (7, "7")])
def test_pids(limit: int, text: str) -> None:
    assert lines(Resources(pids=limit)) == [f"pids.max {text}"]


def test_block_io() -> None:
    io = BlockIo(
        weight=300,
        weight_devices=(WeightDevice(8, 0, 400, 500),),
        read_bps=(ThrottleDevice(8, 0, 1000),),
        write_iops=(ThrottleDevice(8, 16, 0),),
    )
    assert lines(Resources(block_io=io)) == [
        "blkio.bfq.weight 300",
        "blkio.bfq.weight_device 8:0 400",
        "blkio.leaf_weight_device 8:0 500",
        "blkio.throttle.read_bps_device 8:0 1000",
        "blkio.throttle.write_iops_device 8:16 0",
    ]
    assert plan_v1(Resources(block_io=io))[0].instead == Write("blkio", "blkio.weight", "300")


def test_the_rest() -> None:
    resources = Resources(
        hugepage_limits=(HugepageLimit("2MB", 4096),),
        network=Network(0x100001, (InterfacePriority("eth0", 3),)),
        rdma=(Rdma("mlx", 2, None), Rdma("mly", 1, 5)),
    )
    assert lines(resources) == [
        "hugetlb.2MB.limit_in_bytes 4096",
        "hugetlb.2MB.rsvd.limit_in_bytes 4096",
        "net_cls.classid 1048577",
        "net_prio.ifpriomap eth0 3",
        "rdma.max mlx hca_handle=2",
        "rdma.max mly hca_handle=1 hca_object=5",
    ]


def test_unified_is_for_version_2() -> None:
    with pytest.raises(Unsupported, match="needs cgroup v2"):
        plan_v1(Resources(unified=(("memory.max", "1"),)))
