"""Reading Stats from the hierarchies of cgroup v1."""

import os

from wherry.linux.cgroup.directory import Directory
from wherry.runtime.cgroups.stats import (
    CpuStats,
    HugepageStats,
    IoEntry,
    IoStats,
    MemoryStats,
    PidsStats,
    flat_keyed,
)

_NO_LIMIT = 1 << 62
"""v1 writes its largest page-aligned number (about 2^63) where there is no limit."""

_TABLES = {
    "service_bytes": "io_service_bytes",
    "serviced": "io_serviced",
    "queued": "io_queued",
    "service_time": "io_service_time",
    "wait_time": "io_wait_time",
    "merged": "io_merged",
    "time": "time",
    "sectors": "sectors",
}


def read_cpu(cpu: Directory | None, accounting: Directory | None) -> CpuStats:
    """From the cpu and cpuacct controllers."""
    stats = CpuStats()
    if accounting is not None:
        user, system = _modes(accounting)
        stats = stats._replace(
            total=int(accounting.read("cpuacct.usage")),
            user=user,
            system=system,
            per_cpu=tuple(int(word) for word in accounting.read("cpuacct.usage_percpu").split()),
        )
    if cpu is not None:
        lines = flat_keyed(cpu.read("cpu.stat"))
        stats = stats._replace(
            periods=lines.get("nr_periods", 0),
            throttled_periods=lines.get("nr_throttled", 0),
            throttled_time=lines.get("throttled_time", 0),
        )
    return stats


def _modes(accounting: Directory) -> tuple[int, int]:
    """User and kernel time; exact from kernel 4.7 on, in clock ticks before."""
    if accounting.has("cpuacct.usage_user"):
        user, system = accounting.read("cpuacct.usage_user"), accounting.read("cpuacct.usage_sys")
        return int(user), int(system)
    lines = flat_keyed(accounting.read("cpuacct.stat"))
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return lines.get("user", 0) * tick, lines.get("system", 0) * tick


def read_memory(memory: Directory) -> MemoryStats:
    """From the memory controller. v1 counts swap together with memory; this takes it apart."""
    usage = _number(memory, "memory.usage_in_bytes")
    limit = _limit(memory, "memory.limit_in_bytes")
    swap_usage, swap_limit = 0, None
    if memory.has("memory.memsw.usage_in_bytes"):
        swap_usage = max(_number(memory, "memory.memsw.usage_in_bytes") - usage, 0)
        both = _limit(memory, "memory.memsw.limit_in_bytes")
        swap_limit = None if both is None or limit is None else both - limit
    return MemoryStats(
        usage=usage,
        max_usage=_number(memory, "memory.max_usage_in_bytes"),
        failures=_number(memory, "memory.failcnt"),
        limit=limit,
        swap_usage=swap_usage,
        swap_limit=swap_limit,
        details=tuple(flat_keyed(memory.read("memory.stat")).items()),
        oom_kills=flat_keyed(memory.read("memory.oom_control")).get("oom_kill", 0),
    )


def read_pids(pids: Directory) -> PidsStats:
    """From the pids controller."""
    limit = pids.read("pids.max").strip()
    return PidsStats(_number(pids, "pids.current"), None if limit == "max" else int(limit))


def read_io(blkio: Directory) -> IoStats:
    """From the blkio controller: BFQ's own counters, else the throttling layer's."""
    tables = {field: _table(blkio, f"bfq.{name}_recursive") for field, name in _TABLES.items()}
    if not tables["service_bytes"] and not tables["serviced"]:
        for field in ("service_bytes", "serviced"):
            tables[field] = _table(blkio, f"throttle.{_TABLES[field]}_recursive")
    return IoStats(**tables)


def _table(blkio: Directory, name: str) -> tuple[IoEntry, ...]:
    """Lines `8:0 Read 4096`, or `8:0 4096` in tables without operations."""
    try:
        lines = blkio.read(f"blkio.{name}").splitlines()
    except FileNotFoundError:
        return ()
    entries = []
    for line in lines:
        words = line.split()
        if len(words) not in (2, 3) or ":" not in words[0]:
            continue  # the last line is the sum over all devices
        major, _, minor = words[0].partition(":")
        operation = words[1] if len(words) == 3 else ""
        entries.append(IoEntry(int(major), int(minor), operation, int(words[-1])))
    return tuple(entries)


def read_hugepages(hugetlb: Directory) -> tuple[HugepageStats, ...]:
    """From the hugetlb controller; the sizes are what files there are."""
    suffix = ".usage_in_bytes"
    names = sorted(
        name.removeprefix("hugetlb.").removesuffix(suffix)
        for name in os.listdir(hugetlb.fd)
        if name.startswith("hugetlb.") and name.endswith(suffix) and ".rsvd." not in name
    )
    return tuple(
        HugepageStats(
            name,
            _number(hugetlb, f"hugetlb.{name}{suffix}"),
            _number(hugetlb, f"hugetlb.{name}.max_usage_in_bytes"),
            _number(hugetlb, f"hugetlb.{name}.failcnt"),
        )
        for name in names
    )


def _number(directory: Directory, name: str) -> int:
    return int(directory.read(name))


def _limit(directory: Directory, name: str) -> int | None:
    value = _number(directory, name)
    return None if value >= _NO_LIMIT else value
