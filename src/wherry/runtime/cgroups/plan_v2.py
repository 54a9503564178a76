"""Limits → writes for cgroup v2. No I/O. The device program is not among them.

Sources: Documentation/admin-guide/cgroup-v2.rst; the conversions are those of runc and crun, so
that a container has the same limits under each. What v2 does not have (swappiness, switching the
OOM killer off, network classes and priorities, real-time runtimes) is told by `ignored_on_v2`.
"""

import math
from collections.abc import Iterator

from wherry.kit.errors import InvalidInput
from wherry.runtime.cgroups.plan_v1 import MAXIMUM_SHARES, MINIMUM_SHARES, check_shares
from wherry.runtime.cgroups.writes import Write, rdma_line
from wherry.runtime.resources import BlockIo, Cpu, Memory, Resources

_DEFAULT_PERIOD = 100_000  # microseconds


def plan_v2(resources: Resources) -> list[Write]:
    """All writes; those of `unified` come last, as they are the caller's own words.

    Raises InvalidInput.
    """
    return [
        *_memory(resources.memory),
        *_cpu(resources.cpu),
        *_cpuset(resources.cpu),
        *_pids(resources.pids),
        *_block_io(resources.block_io),
        *_hugepages(resources),
        *(Write("rdma", "rdma.max", rdma_line(device)) for device in resources.rdma),
        *(Write(file.partition(".")[0], file, value) for file, value in resources.unified),
    ]


def weight_of_shares(shares: int) -> int:
    """cpu.shares (2 to 262144, usually 1024) → cpu.weight (1 to 10000, usually 100).

    A quadratic function of the logarithm through minimum, default and maximum (runc 1.3.2, crun
    1.23); the linear one before it made the default of v1 a fraction of v2's.
    """
    if shares <= MINIMUM_SHARES:
        return 1
    if shares >= MAXIMUM_SHARES:
        return 10_000
    logarithm = math.log2(shares)
    exponent = (logarithm * logarithm + 125 * logarithm) / 612.0 - 7.0 / 34.0
    return math.ceil(10**exponent)


def weight_of_blkio(weight: int) -> int:
    """blkio.weight (10 to 1000) → io.weight (1 to 10000), linearly."""
    return 1 + (weight - 10) * 9999 // 990


def swap_alone(swap: int, memory: int) -> int | None:
    """v1's limit of memory and swap together → v2's of swap; -1 no limit, None leave it.

    Raises InvalidInput where the difference makes no sense.
    """
    if not swap:
        return -1 if memory == -1 else None
    if swap == -1 or memory == -1:
        return swap
    if memory <= 0:
        raise InvalidInput("linux.resources.memory.swap: needs memory.limit on cgroup v2")
    if swap < memory:
        raise InvalidInput("linux.resources.memory.swap: is below memory.limit, which it includes")
    return swap - memory


def _memory(memory: Memory) -> Iterator[Write]:
    limit = memory.limit or 0
    swap = swap_alone(memory.swap or 0, limit)
    if swap is not None:
        none_needed = swap <= 0  # kernels without swap accounting have neither limit nor swap
        yield Write("memory", "memory.swap.max", _maximum(swap), optional=none_needed)
    if limit:
        yield Write("memory", "memory.max", _maximum(limit))
    if memory.reservation:
        yield Write("memory", "memory.low", _maximum(memory.reservation))


def _maximum(value: int) -> str:
    return "max" if value < 0 else str(value)


def _cpu(cpu: Cpu) -> Iterator[Write]:
    check_shares(cpu.shares)
    if cpu.idle is not None:
        yield Write("cpu", "cpu.idle", str(cpu.idle))
    if cpu.shares:
        yield Write("cpu", "cpu.weight", str(weight_of_shares(cpu.shares)))
    if cpu.burst is not None:
        yield Write("cpu", "cpu.max.burst", str(cpu.burst), bool(cpu.quota), optional=True)
    if cpu.quota or cpu.period:
        quota = str(cpu.quota) if cpu.quota and cpu.quota > 0 else "max"
        yield Write("cpu", "cpu.max", f"{quota} {cpu.period or _DEFAULT_PERIOD}")


def _cpuset(cpu: Cpu) -> Iterator[Write]:
    if cpu.cpus:
        yield Write("cpuset", "cpuset.cpus", cpu.cpus)
    if cpu.mems:
        yield Write("cpuset", "cpuset.mems", cpu.mems)


def _pids(limit: int | None) -> Iterator[Write]:
    if limit is not None:
        yield Write("pids", "pids.max", str(limit) if limit > 0 else "max")


def _block_io(io: BlockIo) -> Iterator[Write]:
    if io.weight:
        yield _weight("", io.weight)
    for device in io.weight_devices:
        if device.weight:
            yield _weight(f"{device.major}:{device.minor} ", device.weight)
    for name, devices in (
        ("rbps", io.read_bps),
        ("wbps", io.write_bps),
        ("riops", io.read_iops),
        ("wiops", io.write_iops),
    ):
        for limit in devices:  # v1's rate 0 takes a limit away
            rate = limit.rate or "max"
            yield Write("io", "io.max", f"{limit.major}:{limit.minor} {name}={rate}")


def _weight(device: str, weight: int) -> Write:
    """BFQ's own file takes v1's scale; io.weight (io.cost) has its own."""
    other = Write("io", "io.weight", f"{device}{weight_of_blkio(weight)}")
    return Write("io", "io.bfq.weight", f"{device}{weight}", instead=other)


def _hugepages(resources: Resources) -> Iterator[Write]:
    for pages in resources.hugepage_limits:
        prefix, value = f"hugetlb.{pages.page_size}", str(pages.limit)
        yield Write("hugetlb", f"{prefix}.max", value)
        yield Write("hugetlb", f"{prefix}.rsvd.max", value, optional=True)


def ignored_on_v2(resources: Resources) -> list[str]:
    """A text for each limit that cgroup v2 has no control for."""
    memory, cpu, io = resources.memory, resources.cpu, resources.block_io
    network = resources.network
    found = {
        "memory swappiness": memory.swappiness is not None,
        "disabling the OOM killer": memory.disable_oom_killer,
        "kernel memory": bool(memory.kernel or memory.kernel_tcp),
        "cpu real-time period and runtime": bool(cpu.realtime_period or cpu.realtime_runtime),
        "block IO leaf weight": bool(io.leaf_weight),
        "network class": bool(network.class_id),
        "network priorities": bool(network.priorities),
    }
    asked = [what for what, is_set in found.items() if is_set]
    return [f"cgroup v2 does not support {what}; it is ignored" for what in asked]
