"""Limits → writes for cgroup v1. No I/O.

Sources: Documentation/admin-guide/cgroup-v1/*; runtime-spec, config-linux.md. 0 means "leave it"
for memory, shares, periods and quotas, as Docker writes it; -1 means "no limit". Kernel memory
limits are gone from the kernel (5.16, 6.1) and are ignored, as runc does.
"""

from collections.abc import Iterator

from wherry.kit.errors import InvalidInput, Unsupported
from wherry.runtime.cgroups.devices import list_lines
from wherry.runtime.cgroups.writes import Write, rdma_line
from wherry.runtime.resources import BlockIo, Cpu, Memory, Network, Resources, ThrottleDevice

MINIMUM_SHARES, MAXIMUM_SHARES = 2, 262144
"""The kernel silently moves others to the nearest of these; runc and we refuse them."""


def plan_v1(resources: Resources) -> list[Write]:
    """All writes, grouped by controller. Raises InvalidInput, Unsupported."""
    if resources.unified:
        raise Unsupported("linux.resources.unified needs cgroup v2; this machine uses v1")
    return [
        *_memory(resources.memory),
        *_cpu(resources.cpu),
        *_cpuset(resources.cpu),
        *_pids(resources.pids),
        *_block_io(resources.block_io),
        *_hugepages(resources),
        *_network(resources.network),
        *_rdma(resources),
        *(Write("devices", file, line) for file, line in list_lines(resources.devices)),
    ]


def _memory(memory: Memory) -> Iterator[Write]:
    """Memory must never be above memory and swap: whichever is in the way goes second."""
    limit, swap = memory.limit or 0, memory.swap or 0
    if limit == -1 and not swap:
        yield Write("memory", "memory.memsw.limit_in_bytes", "-1", optional=True)
    if limit:
        yield Write("memory", "memory.limit_in_bytes", str(limit), again=True)
    if swap:
        absent = swap == -1  # no limit is what a kernel without swap accounting has
        yield Write("memory", "memory.memsw.limit_in_bytes", str(swap), True, optional=absent)
    if memory.reservation:
        yield Write("memory", "memory.soft_limit_in_bytes", str(memory.reservation))
    if memory.disable_oom_killer:
        yield Write("memory", "memory.oom_control", "1")
    if memory.swappiness is not None:
        yield Write("memory", "memory.swappiness", str(memory.swappiness))


def _cpu(cpu: Cpu) -> Iterator[Write]:
    check_shares(cpu.shares)
    if cpu.shares:
        yield Write("cpu", "cpu.shares", str(cpu.shares))
    if cpu.period:
        yield Write("cpu", "cpu.cfs_period_us", str(cpu.period), again=bool(cpu.quota))
    if cpu.burst is not None:
        yield Write("cpu", "cpu.cfs_burst_us", str(cpu.burst), bool(cpu.quota), optional=True)
    if cpu.quota:
        yield Write("cpu", "cpu.cfs_quota_us", str(cpu.quota))
    if cpu.realtime_period:
        again = bool(cpu.realtime_runtime)
        yield Write("cpu", "cpu.rt_period_us", str(cpu.realtime_period), again)
    if cpu.realtime_runtime:
        yield Write("cpu", "cpu.rt_runtime_us", str(cpu.realtime_runtime))
    if cpu.idle is not None:
        yield Write("cpu", "cpu.idle", str(cpu.idle))


def check_shares(shares: int | None) -> None:
    """Refuse what the kernel would silently change. Raises InvalidInput."""
    if shares and shares < MINIMUM_SHARES:
        raise InvalidInput(f"the minimum allowed cpu-shares is {MINIMUM_SHARES}")
    if shares and shares > MAXIMUM_SHARES:
        raise InvalidInput(f"the maximum allowed cpu-shares is {MAXIMUM_SHARES}")


def _cpuset(cpu: Cpu) -> Iterator[Write]:
    if cpu.cpus:
        yield Write("cpuset", "cpuset.cpus", cpu.cpus)
    if cpu.mems:
        yield Write("cpuset", "cpuset.mems", cpu.mems)


def _pids(limit: int | None) -> Iterator[Write]:
    if limit is not None:
        yield Write("pids", "pids.max", str(limit) if limit > 0 else "max")


def _block_io(io: BlockIo) -> Iterator[Write]:
    """Weights exist where the scheduler is BFQ; CFQ's files ended with kernel 5.0."""

    def weight(file: str, value: str) -> Write:
        older = Write("blkio", f"blkio.{file}", value)
        return Write("blkio", f"blkio.bfq.{file}", value, instead=older)

    if io.weight:
        yield weight("weight", str(io.weight))
    if io.leaf_weight:
        yield Write("blkio", "blkio.leaf_weight", str(io.leaf_weight))
    for device in io.weight_devices:
        number = f"{device.major}:{device.minor}"
        if device.weight:
            yield weight("weight_device", f"{number} {device.weight}")
        if device.leaf_weight:
            yield Write("blkio", "blkio.leaf_weight_device", f"{number} {device.leaf_weight}")
    yield from _throttle("read_bps_device", io.read_bps)
    yield from _throttle("write_bps_device", io.write_bps)
    yield from _throttle("read_iops_device", io.read_iops)
    yield from _throttle("write_iops_device", io.write_iops)


def _throttle(file: str, devices: tuple[ThrottleDevice, ...]) -> Iterator[Write]:
    for device in devices:  # rate 0 takes a limit away
        line = f"{device.major}:{device.minor} {device.rate}"
        yield Write("blkio", f"blkio.throttle.{file}", line)


def _hugepages(resources: Resources) -> Iterator[Write]:
    for pages in resources.hugepage_limits:
        prefix, value = f"hugetlb.{pages.page_size}", str(pages.limit)
        yield Write("hugetlb", f"{prefix}.limit_in_bytes", value)
        yield Write("hugetlb", f"{prefix}.rsvd.limit_in_bytes", value, optional=True)


def _network(network: Network) -> Iterator[Write]:
    if network.class_id:
        yield Write("net_cls", "net_cls.classid", str(network.class_id))
    for entry in network.priorities:
        yield Write("net_prio", "net_prio.ifpriomap", f"{entry.name} {entry.priority}")


def _rdma(resources: Resources) -> Iterator[Write]:
    for device in resources.rdma:
        yield Write("rdma", "rdma.max", rdma_line(device))
