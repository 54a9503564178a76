"""What a container used: one set of values for cgroup v1, v2 and none, enough for Docker's stats.

Times are nanoseconds, sizes bytes. A limit of None means that there is none. Controllers that are
not there leave their values at zero.
"""

from typing import NamedTuple


class CpuStats(NamedTuple):
    """Time used, in all and in user and kernel mode; v2 does not tell single processors."""

    total: int = 0
    user: int = 0
    system: int = 0
    per_cpu: tuple[int, ...] = ()
    periods: int = 0
    throttled_periods: int = 0
    throttled_time: int = 0


class MemoryStats(NamedTuple):
    """`details` are the lines of memory.stat; `swap_usage` and `swap_limit` are swap alone."""

    usage: int = 0
    max_usage: int = 0
    failures: int = 0
    limit: int | None = None
    swap_usage: int = 0
    swap_limit: int | None = None
    details: tuple[tuple[str, int], ...] = ()
    oom_kills: int = 0


class PidsStats(NamedTuple):
    """Tasks (threads count)."""

    current: int = 0
    limit: int | None = None


class IoEntry(NamedTuple):
    """One line of Docker's blkio tables; `operation` is Read, Write, Sync, Async and so on."""

    major: int
    minor: int
    operation: str
    value: int


class IoStats(NamedTuple):
    """Docker's tables of the same names (`io_service_bytes_recursive`, …)."""

    service_bytes: tuple[IoEntry, ...] = ()
    serviced: tuple[IoEntry, ...] = ()
    queued: tuple[IoEntry, ...] = ()
    service_time: tuple[IoEntry, ...] = ()
    wait_time: tuple[IoEntry, ...] = ()
    merged: tuple[IoEntry, ...] = ()
    time: tuple[IoEntry, ...] = ()
    sectors: tuple[IoEntry, ...] = ()


class HugepageStats(NamedTuple):
    """Pages of one size (`2MB`) in bytes, and how often the limit refused some."""

    page_size: str
    usage: int
    max_usage: int
    failures: int


class Stats(NamedTuple):
    """Everything; `version` 0 means that it was added up from /proc."""

    version: int
    cpu: CpuStats = CpuStats()
    memory: MemoryStats = MemoryStats()
    pids: PidsStats = PidsStats()
    io: IoStats = IoStats()
    hugepages: tuple[HugepageStats, ...] = ()


def flat_keyed(text: str) -> dict[str, int]:
    """`key value` lines; lines of another form are left out."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def maximum(text: str) -> int | None:
    """A limit file of v2."""
    return None if text.strip() == "max" else int(text)
