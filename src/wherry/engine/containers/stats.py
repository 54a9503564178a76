"""GET /containers/{id}/stats: one sample a second, or one alone."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence

import msgspec

from wherry.dockerapi import stats as answers
from wherry.dockerapi.stats import Stats
from wherry.engine.containers.cgroup import placed
from wherry.engine.containers.container import Container
from wherry.engine.engine import Engine
from wherry.kit import clock
from wherry.kit.errors import Conflict, NotFound
from wherry.runtime.cgroups import stats as used

INTERVAL = 1.0
"""Seconds between samples."""
_COLUMNS = (
    "rx_bytes rx_packets rx_errors rx_dropped - - - - "
    "tx_bytes tx_packets tx_errors tx_dropped - - - -"
).split()
"""/proc/PID/net/dev, counters behind the name (proc(5))."""


async def stats(engine: Engine, ref: str, stream: bool, one_shot: bool) -> AsyncIterator[Stats]:
    """Samples; a container that does not run gives empty ones. Raises NoSuchContainer.

    Without `one_shot` the first sample comes with one taken a second before it.
    """
    container = engine.containers.find(ref)

    async def samples() -> AsyncIterator[Stats]:
        before: Stats | None = None
        if not (one_shot or stream):
            before = await _sample(engine, container, None)
            await asyncio.sleep(INTERVAL if container.running else 0)
        while True:
            now = await _sample(engine, container, before)
            yield now
            if not stream or await _removed_within(container, INTERVAL):
                return
            before = now

    return samples()


async def _removed_within(container: Container, seconds: float) -> bool:
    """Waits; the stream of a container that is removed ends at once, as dockerd's does."""
    try:
        await asyncio.wait_for(container.until(lambda: container.removed), seconds)
        return True
    except TimeoutError:
        return False


async def _sample(engine: Engine, container: Container, before: Stats | None) -> Stats:
    try:
        taken = await engine.lanes.files(_measure, engine, container)
    except (Conflict, NotFound, FileNotFoundError, ProcessLookupError):
        taken = Stats(id=container.id, name=f"/{container.record.name}")
    if before is None:
        return taken
    return msgspec.structs.replace(taken, preread=before.read, precpu_stats=before.cpu_stats)


def _measure(engine: Engine, container: Container) -> Stats:
    usage = placed(engine, container).stats()
    memory = usage.memory
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Stats(
        read=clock.rfc3339(clock.now()),
        id=container.id,
        name=f"/{container.record.name}",
        pids_stats=answers.PidsStats(usage.pids.current, usage.pids.limit or 0),
        blkio_stats=_block_io(usage.io),
        cpu_stats=_cpu(usage.cpu),
        memory_stats=answers.MemoryStats(
            usage=memory.usage,
            max_usage=memory.max_usage,
            stats=dict(memory.details) or None,
            failcnt=memory.failures,
            limit=min(memory.limit or total, total),
        ),
        networks=_networks(container),
    )


def _cpu(cpu: used.CpuStats) -> answers.CpuStats:
    return answers.CpuStats(
        cpu_usage=answers.CpuUsage(
            total_usage=cpu.total,
            percpu_usage=cpu.per_cpu or None,
            usage_in_kernelmode=cpu.system,
            usage_in_usermode=cpu.user,
        ),
        system_cpu_usage=system_cpu_time(),
        online_cpus=os.cpu_count() or 1,
        throttling_data=answers.ThrottlingData(
            cpu.periods, cpu.throttled_periods, cpu.throttled_time
        ),
    )


def system_cpu_time() -> int:
    """Time all CPUs have spent since the start of the machine, ns (proc(5), /proc/stat)."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = sum(int(word) for word in file.readline().split()[1:8])
    return ticks * (clock.SECOND // os.sysconf("SC_CLK_TCK"))


def _block_io(io: used.IoStats) -> answers.BlkioStats:
    return answers.BlkioStats(
        io_service_bytes_recursive=_entries(io.service_bytes),
        io_serviced_recursive=_entries(io.serviced),
        io_queue_recursive=_entries(io.queued),
        io_service_time_recursive=_entries(io.service_time),
        io_wait_time_recursive=_entries(io.wait_time),
        io_merged_recursive=_entries(io.merged),
        io_time_recursive=_entries(io.time),
        sectors_recursive=_entries(io.sectors),
    )


def _entries(found: Sequence[used.IoEntry]) -> tuple[answers.BlkioEntry, ...] | None:
    listed = [answers.BlkioEntry(e.major, e.minor, e.operation, e.value) for e in found]
    return tuple(listed) or None


def _networks(container: Container) -> dict[str, answers.InterfaceStats] | None:
    if container.record.request.host_config.network_mode == "host":
        return None
    with open(f"/proc/{container.state.pid}/net/dev", encoding="ascii") as file:
        return interfaces(file.read())


def interfaces(text: str) -> dict[str, answers.InterfaceStats]:
    """The interfaces in /proc/PID/net/dev without loopback."""
    found = {}
    for line in text.splitlines()[2:]:
        name, _, counters = line.partition(":")
        values = dict(zip(_COLUMNS, (int(word) for word in counters.split()), strict=False))
        values.pop("-", None)
        if name.strip() != "lo":
            found[name.strip()] = answers.InterfaceStats(**values)
    return found
