"""GET /containers/{id}/stats: times in nanoseconds, sizes in bytes."""

from typing import ClassVar

import msgspec

from wherry.kit.clock import ZERO


class ThrottlingData(msgspec.Struct, frozen=True):
    """How often and how long the CPU quota stopped the container."""

    periods: int = 0
    throttled_periods: int = 0
    throttled_time: int = 0


class CpuUsage(msgspec.Struct, frozen=True):
    """CPU time used by the container, and by each CPU where the kernel tells (cgroup v1)."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(("percpu_usage",))

    total_usage: int = 0
    percpu_usage: tuple[int, ...] | None = None
    usage_in_kernelmode: int = 0
    usage_in_usermode: int = 0


class CpuStats(msgspec.Struct, frozen=True):
    """The container's CPU time beside the machine's."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(("system_cpu_usage", "online_cpus"))

    cpu_usage: CpuUsage = CpuUsage()
    system_cpu_usage: int = 0
    online_cpus: int = 0
    throttling_data: ThrottlingData = ThrottlingData()


class MemoryStats(msgspec.Struct, frozen=True, omit_defaults=True):
    """Memory in use, its limit, and the kernel's counters by their own names."""

    usage: int = 0
    max_usage: int = 0
    stats: dict[str, int] | None = None
    failcnt: int = 0
    limit: int = 0


class BlkioEntry(msgspec.Struct, frozen=True):
    """A counter of one device and one operation (Read, Write, Sync, Async, Discard, Total)."""

    major: int = 0
    minor: int = 0
    op: str = ""
    value: int = 0


class BlkioStats(msgspec.Struct, frozen=True):
    """Block I/O; None where the kernel does not tell."""

    io_service_bytes_recursive: tuple[BlkioEntry, ...] | None = None
    io_serviced_recursive: tuple[BlkioEntry, ...] | None = None
    io_queue_recursive: tuple[BlkioEntry, ...] | None = None
    io_service_time_recursive: tuple[BlkioEntry, ...] | None = None
    io_wait_time_recursive: tuple[BlkioEntry, ...] | None = None
    io_merged_recursive: tuple[BlkioEntry, ...] | None = None
    io_time_recursive: tuple[BlkioEntry, ...] | None = None
    sectors_recursive: tuple[BlkioEntry, ...] | None = None


class InterfaceStats(msgspec.Struct, frozen=True):
    """Counters of one interface of the container, as seen from inside."""

    rx_bytes: int = 0
    rx_packets: int = 0
    rx_errors: int = 0
    rx_dropped: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    tx_errors: int = 0
    tx_dropped: int = 0


class PidsStats(msgspec.Struct, frozen=True, omit_defaults=True):
    """Processes and threads, and their limit."""

    current: int = 0
    limit: int = 0


class StorageStats(msgspec.Struct, frozen=True):
    """Always empty on Linux."""


class Stats(msgspec.Struct, frozen=True):
    """One sample and the one before it (`precpu_stats`), in dockerd 20.10's order."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(("name", "id", "networks"))

    read: str = ZERO
    preread: str = ZERO
    pids_stats: PidsStats = PidsStats()
    blkio_stats: BlkioStats = BlkioStats()
    num_procs: int = 0
    storage_stats: StorageStats = StorageStats()
    cpu_stats: CpuStats = CpuStats()
    precpu_stats: CpuStats = CpuStats()
    memory_stats: MemoryStats = MemoryStats()
    name: str = ""
    id: str = ""
    networks: dict[str, InterfaceStats] | None = None
