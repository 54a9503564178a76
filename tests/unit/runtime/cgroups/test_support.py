"""Limits that cannot be had, and dockerd's words for them."""

from pathlib import Path

from wherry.linux.cgroup.layout import Hierarchy, Layout
from wherry.runtime.cgroups.support import NOTHING, Support, discard_unsupported, supported
from wherry.runtime.resources import (
    BlockIo,
    Cpu,
    HugepageLimit,
    Memory,
    Resources,
    ThrottleDevice,
    WeightDevice,
)

ASKED = Resources(
    memory=Memory(limit=10, swap=20, reservation=5, swappiness=1, disable_oom_killer=True),
    cpu=Cpu(shares=5, quota=5, period=5, cpus="0", realtime_period=5),
    pids=5,
    block_io=BlockIo(
        weight=50,
        weight_devices=(WeightDevice(8, 0, 50, None),),
        read_bps=(ThrottleDevice(8, 0, 5),),
        write_iops=(ThrottleDevice(8, 0, 5),),
    ),
    hugepage_limits=(HugepageLimit("2MB", 5),),
)


def test_nothing_can_be_had() -> None:
    kept, warnings = discard_unsupported(ASKED, NOTHING)
    assert kept == Resources()
    assert warnings == [
        "Your kernel does not support memory limit capabilities or the cgroup is not mounted. "
        "Limitation discarded.",
        "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. "
        "Memory swappiness discarded.",
        "Your kernel does not support memory soft limit capabilities or the cgroup is not mounted. "
        "Limitation discarded.",
        "Your kernel does not support OomKillDisable. OomKillDisable discarded.",
        "Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.",
        "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.",
        "Your kernel does not support CPU real-time scheduler. CPU real-time period/runtime "
        "discarded.",
        "Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.",
        "Your kernel does not support Block I/O weight or the cgroup is not mounted. "
        "Weight discarded.",
        "Your kernel does not support Block I/O weight_device or the cgroup is not mounted. "
        "Weight-device discarded.",
        "Your kernel does not support BPS Block I/O read limit or the cgroup is not mounted. "
        "Block I/O BPS read limit discarded.",
        "Your kernel does not support IOPS Block write limit or the cgroup is not mounted. "
        "Block I/O IOPS write limit discarded.",
        "Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. "
        "PIDs limit discarded.",
        "Your kernel does not support hugetlb or the cgroup is not mounted. "
        "Huge page limit discarded.",
    ]


def test_everything_can_be_had() -> None:
    everything = Support(2, **dict.fromkeys(Support._fields[1:], True))
    assert discard_unsupported(ASKED, everything) == (ASKED, [])


def test_memory_without_swap() -> None:
    asked = Resources(memory=Memory(limit=10, swap=20))
    kept, warnings = discard_unsupported(asked, Support(1, memory=True))
    assert kept == Resources(memory=Memory(limit=10))
    assert warnings == [
        "Your kernel does not support swap limit capabilities or the cgroup is not mounted. "
        "Memory limited without swap."
    ]


def test_nothing_asked_nothing_said() -> None:
    quiet = Resources(memory=Memory(limit=-1, swap=-1), pids=-1)
    assert discard_unsupported(quiet, NOTHING) == (quiet, [])


def test_what_a_v1_machine_has(tmp_path: Path) -> None:
    for name in ("memory.limit_in_bytes", "memory.swappiness"):
        (tmp_path / name).touch()
    hierarchy = Hierarchy(1, frozenset({"memory", "pids"}), str(tmp_path), "")
    found = supported(Layout((hierarchy,), None))
    assert found == Support(1, memory=True, swappiness=True, pids=True)


def test_what_a_v2_machine_has(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/memory.current").touch()
    hierarchy = Hierarchy(2, frozenset({"memory", "io"}), str(tmp_path), "")
    found = supported(Layout((), hierarchy))
    assert (found.version, found.memory, found.swap, found.blkio_throttle) == (2, True, False, True)
    assert (found.pids, found.freezer, found.swappiness) == (False, True, False)
    (tmp_path / "a/memory.swap.max").touch()
    assert supported(Layout((), hierarchy)).swap


def test_no_cgroups_at_all() -> None:
    assert supported(Layout((), None)) == NOTHING
