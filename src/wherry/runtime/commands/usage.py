"""events: usage and out-of-memory notices as JSON lines."""

import json
import select
import sys

from wherry.kit import units
from wherry.kit.errors import InvalidInput, Unsupported
from wherry.linux import process
from wherry.runtime import lifecycle, state
from wherry.runtime.cgroups.stats import IoEntry, Stats
from wherry.runtime.commands.arguments import Syntax, read
from wherry.runtime.commands.setting import Setting


def command_events(setting: Setting, words: list[str]) -> int:
    """One line with `--stats`, else one each interval until the container ends."""
    arguments = read(words, Syntax(("interval",), ("stats",)))
    container_id = arguments.word(0, "container id")
    _print("stats", container_id, describe(lifecycle.stats(setting.root, container_id)))
    if arguments.has("stats"):
        return 0
    interval = units.parse_duration(arguments.value("interval", "5s"))
    if interval <= 0:
        raise InvalidInput("--interval has to be greater than 0")
    return _watch(setting.root, container_id, interval // 1_000_000)


def _print(kind: str, container_id: str, data: dict[str, object] | None = None) -> None:
    line: dict[str, object] = {"type": kind, "id": container_id}
    if data is not None:
        line["data"] = data
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _watch(root: str, container_id: str, milliseconds: int) -> int:
    record = state.load(root, container_id)
    pidfd = process.open_checked(record.pid, record.start_time)
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    placed = state.placed(record)
    try:
        notices = placed.oom_events()
        poller.register(notices.fd, select.POLLIN | select.POLLPRI)
    except Unsupported:
        notices = None
    while True:
        ready = dict(poller.poll(milliseconds))
        if pidfd in ready:
            return 0
        if notices is not None and notices.fd in ready:
            if notices.take():
                _print("oom", container_id)
            continue
        _print("stats", container_id, describe(placed.stats()))


def describe(stats: Stats) -> dict[str, object]:
    """runc's document; times in nanoseconds, sizes in bytes."""
    cpu, memory = stats.cpu, stats.memory
    raw = dict(memory.details)
    return {
        "cpu": {
            "usage": {
                "total": cpu.total,
                "percpu": list(cpu.per_cpu),
                "kernel": cpu.system,
                "user": cpu.user,
            },
            "throttling": {
                "periods": cpu.periods,
                "throttledPeriods": cpu.throttled_periods,
                "throttledTime": cpu.throttled_time,
            },
        },
        "memory": {
            "cache": raw.get("cache", raw.get("file", 0)),
            "usage": _memory(memory.usage, memory.max_usage, memory.failures, memory.limit),
            "swap": _memory(memory.swap_usage, 0, 0, memory.swap_limit),
            "raw": raw,
        },
        "pids": {"current": stats.pids.current, "limit": stats.pids.limit or 0},
        "blkio": _block_io(stats),
        "hugetlb": {
            page.page_size: {"usage": page.usage, "max": page.max_usage, "failcnt": page.failures}
            for page in stats.hugepages
        },
    }


def _memory(usage: int, most: int, failures: int, limit: int | None) -> dict[str, int]:
    return {"limit": limit or 0, "usage": usage, "max": most, "failcnt": failures}


def _block_io(stats: Stats) -> dict[str, object]:
    names = {
        "ioServiceBytesRecursive": stats.io.service_bytes,
        "ioServicedRecursive": stats.io.serviced,
        "ioQueueRecursive": stats.io.queued,
        "ioServiceTimeRecursive": stats.io.service_time,
        "ioWaitTimeRecursive": stats.io.wait_time,
        "ioMergedRecursive": stats.io.merged,
        "ioTimeRecursive": stats.io.time,
        "sectorsRecursive": stats.io.sectors,
    }
    return {name: [_entry(entry) for entry in entries] for name, entries in names.items()}


def _entry(entry: IoEntry) -> dict[str, object]:
    return {
        "major": entry.major,
        "minor": entry.minor,
        "op": entry.operation,
        "value": entry.value,
    }
