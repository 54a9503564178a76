"""`wherry stats`."""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from wherry.cli import table
from wherry.cli.command import Command, Failed
from wherry.cli.flags import switch, text
from wherry.cli.session import Session, describe
from wherry.cli.template.values import Row
from wherry.client import containers
from wherry.client.client import Client
from wherry.client.document import Document
from wherry.kit.errors import WherryError
from wherry.kit.ids import SHORT
from wherry.kit.units import human_size, human_size_binary

TABLE = (
    "table {{.ID}}\\t{{.Name}}\\t{{.CPUPerc}}\\t{{.MemUsage}}\\t{{.MemPerc}}\\t{{.NetIO}}"
    "\\t{{.BlockIO}}\\t{{.PIDs}}"
)
HEADS = {
    "Container": "CONTAINER",
    "Name": "NAME",
    "ID": "CONTAINER ID",
    "CPUPerc": "CPU %",
    "MemUsage": "MEM USAGE / LIMIT",
    "MemPerc": "MEM %",
    "NetIO": "NET I/O",
    "BlockIO": "BLOCK I/O",
    "PIDs": "PIDS",
}
NONE = "--"
TICK = 0.5
"""Seconds between two drawings."""


class Usage(NamedTuple):
    """What one sample says; sizes in bytes, shares in per cent."""

    cpu: float
    memory: float
    limit: float
    received: float
    sent: float
    read: float
    written: float
    pids: int


def stats(
    session: Session,
    arguments: list[str],
    *,
    every: bool,
    format: str,
    no_stream: bool,
    no_trunc: bool,
) -> None:
    """Display a live stream of resource usage."""
    watch = _Watch(session.client, stream=not no_stream)
    form = format if format not in ("", "table") else TABLE
    _follow(watch, session.client, arguments, every=every)
    watch.settle()
    if arguments:
        watch.check()
    if no_stream:
        table.show(session, form, HEADS, watch.rows(cut=not no_trunc))
        return
    while arguments == [] or watch.is_alive():
        text = table.render(form, HEADS, watch.rows(cut=not no_trunc))
        session.write("\x1b[2J\x1b[H" + text)
        time.sleep(TICK)
        _follow(watch, session.client, arguments, every=every)


def _follow(watch: "_Watch", client: Client, names: Sequence[str], *, every: bool) -> None:
    if names:
        watch.follow(names)
    else:
        found = containers.listing(client, stopped=every)
        watch.follow([item.text("Id") for item in found], only=True)


class _Watch:
    """One thread a container reads its samples."""

    def __init__(self, client: Client, *, stream: bool) -> None:
        self._client = client
        self._stream = stream
        self._threads: dict[str, threading.Thread] = {}
        self._samples: dict[str, Document] = {}
        self._problems: dict[str, str] = {}
        client.ping()  # asked once here, not once a thread

    def follow(self, names: Iterable[str], *, only: bool = False) -> None:
        """Begin to watch those not watched yet; with `only`, forget the others."""
        wanted = list(names)
        for name in wanted:
            if name not in self._threads:
                thread = threading.Thread(target=self._read, args=(name,), daemon=True)
                self._threads[name] = thread
                thread.start()
        if only:
            for name in set(self._threads).difference(wanted):
                del self._threads[name]

    def _read(self, name: str) -> None:
        try:
            for sample in containers.stats(self._client.another(), name, stream=self._stream):
                self._samples[name] = sample
        except WherryError as error:
            self._problems[name] = describe(error)

    def settle(self) -> None:
        """Wait until every container has a sample or an error."""
        for name, thread in list(self._threads.items()):
            while thread.is_alive() and name not in self._samples:
                thread.join(0.02)
            if not self._stream:
                thread.join()

    def check(self) -> None:
        """Raises Failed where a container could not be watched."""
        if self._problems:
            raise Failed("\n".join(self._problems.values()))

    def is_alive(self) -> bool:
        """Whether any container still gives samples."""
        return any(thread.is_alive() for thread in self._threads.values())

    def rows(self, *, cut: bool) -> Iterator[Row]:
        """The last sample of every container."""
        for name in self._threads:
            yield _row(name, self._samples.get(name, Document({})), cut=cut)


def _row(name: str, sample: Document, *, cut: bool) -> Row:
    full = sample.text("id") or name
    used = usage(sample) if sample.child("memory_stats").raw else None
    shown = _shown(used) if used is not None else dict.fromkeys(_EMPTY, NONE) | _PAIRS
    return Row(
        Container=name,
        Name=sample.text("name").removeprefix("/") or NONE,
        ID=full[:SHORT] if cut else full,
        **shown,
    )


_EMPTY = ("CPUPerc", "MemPerc", "PIDs", "NetIO", "BlockIO")
_PAIRS = {"MemUsage": "-- / --"}


def _shown(used: Usage) -> dict[str, str]:
    share = used.memory / used.limit * 100 if used.limit else 0.0
    return {
        "CPUPerc": f"{used.cpu:.2f}%",
        "MemUsage": f"{human_size_binary(used.memory)} / {human_size_binary(used.limit)}",
        "MemPerc": f"{share:.2f}%",
        "NetIO": f"{human_size(used.received)} / {human_size(used.sent)}",
        "BlockIO": f"{human_size(used.read)} / {human_size(used.written)}",
        "PIDs": str(used.pids),
    }


def usage(sample: Document) -> Usage:
    """A sample of the API as numbers."""
    networks = [sample.child("networks", name) for name in sample.child("networks").raw]
    return Usage(
        cpu=_cpu(sample),
        memory=_memory(sample.child("memory_stats")),
        limit=sample.real("memory_stats", "limit"),
        received=sum(item.real("rx_bytes") for item in networks),
        sent=sum(item.real("tx_bytes") for item in networks),
        read=_blocks(sample, "r"),
        written=_blocks(sample, "w"),
        pids=sample.number("pids_stats", "current"),
    )


def _cpu(sample: Document) -> float:
    """Per cent of one processor between this sample and the one before."""
    now, before = sample.child("cpu_stats"), sample.child("precpu_stats")
    used = now.real("cpu_usage", "total_usage") - before.real("cpu_usage", "total_usage")
    passed = now.real("system_cpu_usage") - before.real("system_cpu_usage")
    each = now.value("cpu_usage", "percpu_usage")
    online = now.number("online_cpus") or (len(each) if isinstance(each, list) else 0)
    return used / passed * online * 100 if used > 0 and passed > 0 else 0.0


def _memory(memory: Document) -> float:
    """Use without the page cache that could be dropped (cgroup v1's and v2's names)."""
    used = memory.real("usage")
    for name in ("total_inactive_file", "inactive_file"):
        if memory.value("stats", name) is not None and memory.real("stats", name) < used:
            return used - memory.real("stats", name)
    return used


def _blocks(sample: Document, letter: str) -> float:
    entries = sample.children("blkio_stats", "io_service_bytes_recursive")
    return sum(item.real("value") for item in entries if item.text("op")[:1].lower() == letter)


command = Command(
    "stats",
    stats,
    "Display a live stream of container(s) resource usage statistics",
    usage="[CONTAINER...]",
    flags=(
        switch("all a", "Show all containers (default shows just running)", dest="every"),
        text("format", "Pretty-print using a Go template"),
        switch("no-stream", "Disable streaming stats and only pull the first result"),
        switch("no-trunc", "Do not truncate output"),
    ),
)
