"""POST /containers/{id}/update beside dockerd: the answer, inspect after it, the control groups."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.compat.asking import ask, hidden
from tests.compat.pair import Daemon, Pair, missing

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]
NAME = "updated"
MB = 1 << 20
FILES = (
    "memory/memory.limit_in_bytes", "memory/memory.memsw.limit_in_bytes",
    "memory/memory.soft_limit_in_bytes", "memory/memory.swappiness", "cpu/cpu.shares",
    "cpu/cpu.cfs_period_us", "cpu/cpu.cfs_quota_us", "cpuset/cpuset.cpus", "cpuset/cpuset.mems",
    "pids/pids.max",
)  # fmt: skip
REFUSED = r"runc did not|kernel refuses|(minimum|maximum) allowed cpu-shares"
NEVER_SHOWN = ("Id", "Created", "LogConfig", "Runtime", "MaskedPaths")


MEANT = {
    "memory shrinks-running": r"1\.memory/memory\.memsw.*",
    "swap alone-running": r"1\.memory/memory\.memsw.*",
    # dockerd stores that swap has no limit and leaves the old one to the running container
    # what is refused stays set in dockerd's control group, where the kernel took something near
    "many shares-running": r"0\.cpu/cpu\.shares|1\..*",
    "many shares-created": r"1\..*",  # dockerd stores negative ones, and cannot start it
    "weight-running": r"[01]\.(answer|status|BlkioWeight)",
    "weight-created": r"[01]\.(answer|status|BlkioWeight)",  # bfq's is set; dockerd knows cfq's
    "real time-running": r"0\..*",
    "real time-created": r"0\..*",  # refused as they are at creation
}
"""Places that differ on purpose."""


class Row:
    """A container of `flags`, and the updates of it one after the other."""

    def __init__(self, flags: str, *bodies: dict[str, Any]) -> None:
        self.flags, self.bodies = flags.split(), bodies


NO_RESTART = {"RestartPolicy": {"Name": "no"}}
ROWS = {
    "nothing": Row("", {}),
    "memory and swap": Row("", {"Memory": 64 * MB, "MemorySwap": 128 * MB}),
    "memory alone": Row("", {"Memory": 64 * MB}),
    "memory grows over swap": Row("-m 64m", {"Memory": 256 * MB}),
    "memory grows with swap": Row("-m 64m", {"Memory": 256 * MB, "MemorySwap": 256 * MB}),
    "memory shrinks": Row("-m 64m", {"Memory": 32 * MB}, {"Memory": 32 * MB, "MemorySwap": -1}),
    "memory below swap kept": Row("-m 64m --memory-swap 1g", {"Memory": 512 * MB}),
    "unlimited swap, more memory": Row("-m 64m --memory-swap -1", {"Memory": 128 * MB}),
    "swap alone": Row("-m 64m", {"MemorySwap": 256 * MB}, {"MemorySwap": -1}),
    "swap alone, no memory": Row("", {"MemorySwap": 256 * MB}),
    "swap below memory": Row("-m 64m", {"Memory": 64 * MB, "MemorySwap": 32 * MB}),
    "stored swap below memory": Row("-m 64m", {"MemorySwap": 32 * MB}),
    "unlimited memory": Row("-m 64m", {"Memory": -1, "MemorySwap": -1}, {"Memory": -1}),
    "too little memory": Row("-m 64m", {"Memory": 4 * MB}),
    "reservation": Row("", {"MemoryReservation": 32 * MB}, {"MemoryReservation": 4 * MB}),
    "reservation over memory": Row("-m 64m", {"MemoryReservation": 128 * MB}),
    "reservation and less memory": Row("", {"MemoryReservation": 64 * MB, "Memory": 32 * MB}),
    "kernel memory": Row("", {"KernelMemory": 64 * MB}),
    "swappiness": Row("-m 64m", {"MemorySwappiness": 10}, {"MemorySwappiness": 101}),
    "oom kill disable": Row("-m 64m", {"OomKillDisable": True}),
    "shares": Row("", {"CpuShares": 512}, {"CpuShares": 2}, {"CpuShares": 1}),
    "many shares": Row("", {"CpuShares": 300000}, {"CpuShares": -1}),
    "period": Row("", {"CpuPeriod": 50000}, {"CpuPeriod": 10}, {"CpuPeriod": 2000000}),
    "quota": Row("", {"CpuQuota": 50000}, {"CpuQuota": 5}, {"CpuQuota": -1}),
    "period and quota": Row("", {"CpuPeriod": 20000, "CpuQuota": 40000}, {"CpuPeriod": 40000}),
    "nano cpus": Row("", {"NanoCpus": 500000000}, {"NanoCpus": 1500000000}),
    "nano cpus over all": Row("", {"NanoCpus": 10**15}, {"NanoCpus": -1}),
    "nano cpus with quota": Row("", {"NanoCpus": 10**9, "CpuQuota": 5000}),
    "nano cpus with period": Row("", {"NanoCpus": 10**9, "CpuPeriod": 5000}),
    "nano cpus after quota": Row("--cpu-quota 50000", {"NanoCpus": 10**9}),
    "nano cpus after period": Row("--cpu-period 50000", {"NanoCpus": 10**9}),
    "quota after nano cpus": Row("--cpus 0.5", {"CpuQuota": 50000}),
    "period after nano cpus": Row("--cpus 0.5", {"CpuPeriod": 50000}),
    "cpuset": Row("", {"CpusetCpus": "0", "CpusetMems": "0"}, {"CpusetCpus": "0-1"}),
    "wrong cpuset": Row("", {"CpusetCpus": "77"}, {"CpusetCpus": "x"}, {"CpusetMems": "9"}),
    "pids": Row("", {"PidsLimit": 20}, {"PidsLimit": 30}, {"PidsLimit": 0}, {"PidsLimit": -1}),
    "pids kept": Row("--pids-limit 20", {"CpuShares": 100}),
    "weight": Row("", {"BlkioWeight": 300}, {"BlkioWeight": 5}),
    "restart": Row("", {"RestartPolicy": {"Name": "always"}}, NO_RESTART),
    "restart count": Row(
        "", {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}},
        {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}},
        {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": -3}},
    ),
    "restart of no such kind": Row("", {"RestartPolicy": {"Name": "sometimes"}}),
    "restart with auto-remove": Row("--rm", {"RestartPolicy": {"Name": "always"}}, NO_RESTART),
    "restart kept": Row("--restart on-failure:2", {"CpuShares": 100}),
    "what no update changes": Row(
        "", {"Devices": [{"PathOnHost": "/dev/full", "PathInContainer": "/dev/full"}]},
        {"Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 100}]}, {"CgroupParent": "/x"},
        {"BlkioDeviceReadBps": [{"Path": "/dev/nosuch", "Rate": 5}]}, {"CpuPercent": 5},
        {"IOMaximumIOps": 5}, {"DeviceCgroupRules": ["c 1:3 rwm"]}, {"CpuCount": 3},
    ),
    "real time": Row("", {"CpuRealtimePeriod": 10, "CpuRealtimeRuntime": 20}),
    "a kind of another type": Row("", {"Memory": "much"}, {"RestartPolicy": "always"}),
}  # fmt: skip


@pytest.fixture(autouse=True)
def removed(daemons: Pair) -> Iterator[None]:
    yield
    for daemon in daemons.both:
        daemon.docker("rm", "-fv", NAME)


def look(daemon: Daemon, row: Row, *, running: bool) -> dict[str, object]:
    """What is seen after each step, by step and place."""
    daemon.must("run" if running else "create", *["-d"][: running], "--name", NAME, *row.flags,
                "plain", "sleep", "1000")  # fmt: skip
    return {
        f"{number}.{place}": value
        for number, body in enumerate(row.bodies)
        for place, value in _step(daemon, body, running=running).items()
    }


def _step(daemon: Daemon, body: dict[str, Any], *, running: bool) -> dict[str, object]:
    status, told = ask(daemon, "POST", f"/containers/{NAME}/update", body)
    config = ask(daemon, "GET", f"/containers/{NAME}/json").body["HostConfig"]
    shown = {name: value for name, value in config.items() if name not in NEVER_SHOWN}
    script = "cd /sys/fs/cgroup; for f; do echo $f $(cat $f 2>&1); done"
    text = str(hidden(daemon, told))
    inside = daemon.must("exec", NAME, "sh", "-c", script, "-", *FILES) if running else ""
    return {
        "status": min(status, 400),  # what the kernel refuses dockerd calls its own fault, 500
        "answer": "refused by the runtime" if re.search(REFUSED, text) else text,
        **shown,
        **dict(line.split(" ", 1) for line in inside.splitlines()),
    }


@pytest.mark.parametrize("running", [True, False], ids=["running", "created"])
@pytest.mark.parametrize("name", ROWS)
def test_update(daemons: Pair, name: str, running: bool) -> None:
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(lambda each: look(each, ROWS[name], running=running), daemons.both)
    meant = re.compile(MEANT.get(f"{name}-{'running' if running else 'created'}", "-"))
    assert [
        f"{place}: {theirs.get(place)!r} != {ours.get(place)!r}"
        for place in {**theirs, **ours}
        if theirs.get(place) != ours.get(place) and not meant.fullmatch(place)
    ] == []
