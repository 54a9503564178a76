"""Which limits this machine and user can have, and dockerd's words for those that it cannot."""

from typing import NamedTuple

from wherry.linux.cgroup.directory import Directory
from wherry.linux.cgroup.layout import Hierarchy, Layout
from wherry.runtime.resources import BlockIo, Cpu, Memory, Resources


class Support(NamedTuple):
    """One flag for each of dockerd's checks; `version` is 0, 1 or 2."""

    version: int = 0
    memory: bool = False
    swap: bool = False
    reservation: bool = False
    swappiness: bool = False
    oom_kill_disable: bool = False
    pids: bool = False
    cpu_shares: bool = False
    cpu_quota: bool = False
    cpu_realtime: bool = False
    cpuset: bool = False
    blkio_weight: bool = False
    blkio_weight_device: bool = False
    blkio_throttle: bool = False
    hugepages: bool = False
    devices: bool = False
    freezer: bool = False


NOTHING = Support()


def supported(layout: Layout) -> Support:
    """What root can have with these hierarchies; reads which control files exist."""
    if layout.v1:
        return _supported_v1(layout)
    if layout.unified is None:
        return NOTHING
    return _supported_v2(layout.unified)


def _supported_v1(layout: Layout) -> Support:
    return Support(
        version=1,
        memory=_has(layout, "memory", "memory.limit_in_bytes"),
        swap=_has(layout, "memory", "memory.memsw.limit_in_bytes"),
        reservation=_has(layout, "memory", "memory.soft_limit_in_bytes"),
        swappiness=_has(layout, "memory", "memory.swappiness"),
        oom_kill_disable=_has(layout, "memory", "memory.oom_control"),
        pids=layout.of("pids") is not None,
        cpu_shares=_has(layout, "cpu", "cpu.shares"),
        cpu_quota=_has(layout, "cpu", "cpu.cfs_quota_us"),
        cpu_realtime=_has(layout, "cpu", "cpu.rt_period_us"),
        cpuset=_has(layout, "cpuset", "cpuset.cpus"),
        # the top group has no weights of its own; BFQ's files are its schedulers' counters
        blkio_weight=_has(layout, "blkio", "blkio.weight")
        or _has(layout, "blkio", "blkio.bfq.weight"),
        blkio_weight_device=_has(layout, "blkio", "blkio.weight_device")
        or _has(layout, "blkio", "blkio.bfq.weight_device"),
        blkio_throttle=_has(layout, "blkio", "blkio.throttle.read_bps_device"),
        hugepages=layout.of("hugetlb") is not None,
        devices=layout.of("devices") is not None,
        freezer=layout.of("freezer") is not None,
    )


def _supported_v2(unified: Hierarchy) -> Support:
    """Limits exist below the top only, so the controllers' names decide."""
    names = unified.controllers
    return Support(
        version=2,
        memory="memory" in names,
        swap="memory" in names and _swap_is_counted(unified),
        reservation="memory" in names,
        pids="pids" in names,
        cpu_shares="cpu" in names,
        cpu_quota="cpu" in names,
        cpuset="cpuset" in names,
        blkio_weight="io" in names,
        blkio_weight_device="io" in names,
        blkio_throttle="io" in names,
        hugepages="hugetlb" in names,
        devices=True,
        freezer=True,
    )


def _swap_is_counted(unified: Hierarchy) -> bool:
    """memory.swap.max is missing with swapaccount=0; any group below the top shows it."""
    with Directory.open(unified.mountpoint, unified.own) as directory:
        if directory.has("memory.current"):
            return directory.has("memory.swap.max")
        for name in directory.children():
            with directory.enter(name) as child:
                if child.has("memory.current"):
                    return child.has("memory.swap.max")
    return True


def _has(layout: Layout, controller: str, file: str) -> bool:
    hierarchy = layout.of(controller)
    if hierarchy is None:
        return False
    with Directory.open(hierarchy.mountpoint, "") as directory:
        return directory.has(file)


def discard_unsupported(resources: Resources, support: Support) -> tuple[Resources, list[str]]:
    """The limits that can be had, and dockerd's warnings for the others. Pure."""
    warnings: list[str] = []
    memory = _memory(resources.memory, support, warnings)
    cpu = _cpu(resources.cpu, support, warnings)
    io = _block_io(resources.block_io, support, warnings)
    kept = resources._replace(memory=memory, cpu=cpu, block_io=io)
    if (resources.pids or 0) > 0 and not support.pids:
        warnings.append(_kernel("PIDs limit capabilities or the cgroup is not mounted. PIDs limit"))
        kept = kept._replace(pids=None)
    if resources.hugepage_limits and not support.hugepages:
        warnings.append(_kernel("hugetlb or the cgroup is not mounted. Huge page limit"))
        kept = kept._replace(hugepage_limits=())
    return kept, warnings


def _kernel(rest: str) -> str:
    return f"Your kernel does not support {rest} discarded."


def _memory(memory: Memory, support: Support, warnings: list[str]) -> Memory:
    no_group = "capabilities or the cgroup is not mounted."
    if (memory.limit or 0) > 0 and not support.memory:
        warnings.append(_kernel(f"memory limit {no_group} Limitation"))
        memory = memory._replace(limit=None, swap=None)
    if (memory.limit or 0) > 0 and (memory.swap or 0) > 0 and not support.swap:
        warnings.append(
            f"Your kernel does not support swap limit {no_group} Memory limited without swap."
        )
        memory = memory._replace(swap=None)
    if memory.swappiness is not None and not support.swappiness:
        warnings.append(_kernel(f"memory swappiness {no_group} Memory swappiness"))
        memory = memory._replace(swappiness=None)
    if (memory.reservation or 0) > 0 and not support.reservation:
        warnings.append(_kernel(f"memory soft limit {no_group} Limitation"))
        memory = memory._replace(reservation=None)
    if memory.disable_oom_killer and not support.oom_kill_disable:
        warnings.append(_kernel("OomKillDisable. OomKillDisable"))
        memory = memory._replace(disable_oom_killer=False)
    return memory


def _cpu(cpu: Cpu, support: Support, warnings: list[str]) -> Cpu:
    if cpu.shares and not support.cpu_shares:
        warnings.append(_kernel("CPU shares or the cgroup is not mounted. Shares"))
        cpu = cpu._replace(shares=None)
    if (cpu.period or cpu.quota) and not support.cpu_quota:
        warnings.append(_kernel("CPU CFS scheduler. CPU period/quota"))
        cpu = cpu._replace(period=None, quota=None, burst=None)
    if (cpu.realtime_period or cpu.realtime_runtime) and not support.cpu_realtime:
        warnings.append(_kernel("CPU real-time scheduler. CPU real-time period/runtime"))
        cpu = cpu._replace(realtime_period=None, realtime_runtime=None)
    if (cpu.cpus or cpu.mems) and not support.cpuset:
        warnings.append(_kernel("cpuset or the cgroup is not mounted. Cpuset"))
        cpu = cpu._replace(cpus="", mems="")
    return cpu


def _block_io(io: BlockIo, support: Support, warnings: list[str]) -> BlockIo:
    unmounted = "or the cgroup is not mounted."
    if (io.weight or io.leaf_weight) and not support.blkio_weight:
        warnings.append(_kernel(f"Block I/O weight {unmounted} Weight"))
        io = io._replace(weight=None, leaf_weight=None)
    if io.weight_devices and not support.blkio_weight_device:
        warnings.append(_kernel(f"Block I/O weight_device {unmounted} Weight-device"))
        io = io._replace(weight_devices=())
    if support.blkio_throttle:
        return io
    for devices, kind, direction, unit in (
        (io.read_bps, "BPS Block I/O read", "BPS read", "Block I/O"),
        (io.write_bps, "BPS Block I/O write", "BPS write", "Block I/O"),
        (io.read_iops, "IOPS Block read", "IOPS read", "Block I/O"),
        (io.write_iops, "IOPS Block write", "IOPS write", "Block I/O"),
    ):
        if devices:
            warnings.append(_kernel(f"{kind} limit {unmounted} {unit} {direction} limit"))
    return io._replace(read_bps=(), write_bps=(), read_iops=(), write_iops=())
