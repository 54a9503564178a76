"""Reading Stats from a directory of cgroup v2."""

import os

from wherry.linux.cgroup.directory import Directory
from wherry.runtime.cgroups.stats import (
    CpuStats,
    HugepageStats,
    IoEntry,
    IoStats,
    MemoryStats,
    PidsStats,
    Stats,
    flat_keyed,
    maximum,
)

_OPERATIONS = {
    "rbytes": ("service_bytes", "Read"),
    "wbytes": ("service_bytes", "Write"),
    "dbytes": ("service_bytes", "Discard"),
    "rios": ("serviced", "Read"),
    "wios": ("serviced", "Write"),
    "dios": ("serviced", "Discard"),
}


def read_stats(directory: Directory) -> Stats:
    """All that the enabled controllers tell."""
    return Stats(
        version=2,
        cpu=_cpu(directory),
        memory=_memory(directory) if directory.has("memory.current") else MemoryStats(),
        pids=_pids(directory) if directory.has("pids.current") else PidsStats(),
        io=_io(directory.read("io.stat")) if directory.has("io.stat") else IoStats(),
        hugepages=read_hugepages(directory),
    )


def _cpu(directory: Directory) -> CpuStats:
    """cpu.stat has the times even where the controller is not enabled (in microseconds)."""
    lines = flat_keyed(directory.read("cpu.stat"))
    return CpuStats(
        total=lines.get("usage_usec", 0) * 1000,
        user=lines.get("user_usec", 0) * 1000,
        system=lines.get("system_usec", 0) * 1000,
        periods=lines.get("nr_periods", 0),
        throttled_periods=lines.get("nr_throttled", 0),
        throttled_time=lines.get("throttled_usec", 0) * 1000,
    )


def _memory(directory: Directory) -> MemoryStats:
    events = flat_keyed(directory.read("memory.events"))
    has_swap = directory.has("memory.swap.current")
    return MemoryStats(
        usage=int(directory.read("memory.current")),
        max_usage=int(_optional(directory, "memory.peak") or 0),
        failures=events.get("oom", 0),
        limit=maximum(directory.read("memory.max")),
        swap_usage=int(directory.read("memory.swap.current")) if has_swap else 0,
        swap_limit=maximum(directory.read("memory.swap.max")) if has_swap else None,
        details=tuple(flat_keyed(directory.read("memory.stat")).items()),
        oom_kills=events.get("oom_kill", 0),
    )


def _optional(directory: Directory, name: str) -> str:
    """Controls that came later: memory.peak in 5.19."""
    try:
        return directory.read(name)
    except FileNotFoundError:
        return ""


def _pids(directory: Directory) -> PidsStats:
    return PidsStats(int(directory.read("pids.current")), maximum(directory.read("pids.max")))


def _io(text: str) -> IoStats:
    """Lines `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`, in v1's tables."""
    tables: dict[str, list[IoEntry]] = {"service_bytes": [], "serviced": []}
    for line in text.splitlines():
        device, _, rest = line.partition(" ")
        major, _, minor = device.partition(":")
        if not (major.isdigit() and minor.isdigit()):
            continue
        for word in rest.split():
            key, _, value = word.partition("=")
            if key in _OPERATIONS:
                table, operation = _OPERATIONS[key]
                tables[table].append(IoEntry(int(major), int(minor), operation, int(value)))
    return IoStats(tuple(tables["service_bytes"]), tuple(tables["serviced"]))


def read_hugepages(directory: Directory) -> tuple[HugepageStats, ...]:
    """Usage by page size, also for the unified part of a hybrid layout."""
    sizes = sorted(
        name.split(".")[1]
        for name in os.listdir(directory.fd)
        if name.startswith("hugetlb.") and name.endswith(".current") and name.count(".") == 2
    )
    return tuple(
        HugepageStats(
            size,
            int(directory.read(f"hugetlb.{size}.current")),
            0,
            flat_keyed(directory.read(f"hugetlb.{size}.events")).get("max", 0),
        )
        for size in sizes
    )
