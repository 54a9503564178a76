"""Stats from control files, as the kernel writes them."""

from pathlib import Path

from wherry.linux.cgroup.directory import Directory
from wherry.runtime.cgroups import stats_v1
from wherry.runtime.cgroups.stats import (
    CpuStats,
    HugepageStats,
    IoEntry,
    MemoryStats,
    PidsStats,
    flat_keyed,
)
from wherry.runtime.cgroups.stats_v2 import read_stats


def folder(path: Path, files: dict[str, str]) -> Directory:
    for name, text in files.items():
        (path / name).write_text(text)
    return Directory.open(str(path), "")


def test_flat_keyed_files() -> None:
    assert flat_keyed("anon 5\nfile 7\nodd\nx y\n") == {"anon": 5, "file": 7}


def test_v1_cpu(tmp_path: Path) -> None:
    files = {
        "cpuacct.usage": "300\n",
        "cpuacct.usage_user": "100\n",
        "cpuacct.usage_sys": "200\n",
        "cpuacct.usage_percpu": "120 180 \n",
        "cpu.stat": "nr_periods 4\nnr_throttled 2\nthrottled_time 99\nwait_sum 1\n",
    }
    with folder(tmp_path, files) as both:
        assert stats_v1.read_cpu(both, both) == CpuStats(300, 100, 200, (120, 180), 4, 2, 99)
    assert stats_v1.read_cpu(None, None) == CpuStats()


def test_v1_cpu_of_old_kernels(tmp_path: Path) -> None:
    files = {
        "cpuacct.usage": "300\n",
        "cpuacct.usage_percpu": "300 \n",
        "cpuacct.stat": "user 3\nsystem 5\n",
    }
    with folder(tmp_path, files) as group:
        found = stats_v1.read_cpu(None, group)
    assert (found.user, found.system) == (30_000_000, 50_000_000)


MEMORY = {
    "memory.usage_in_bytes": "1000\n",
    "memory.limit_in_bytes": "4000\n",
    "memory.max_usage_in_bytes": "1500\n",
    "memory.failcnt": "3\n",
    "memory.stat": "cache 10\nrss 20\n",
    "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
}


def test_v1_memory(tmp_path: Path) -> None:
    swap = {"memory.memsw.usage_in_bytes": "1200\n", "memory.memsw.limit_in_bytes": "6000\n"}
    with folder(tmp_path, MEMORY | swap) as group:
        assert stats_v1.read_memory(group) == MemoryStats(
            1000, 1500, 3, 4000, 200, 2000, (("cache", 10), ("rss", 20)), 2
        )


def test_v1_memory_without_limit_or_swap_accounting(tmp_path: Path) -> None:
    files = MEMORY | {"memory.limit_in_bytes": "9223372036854771712\n"}
    with folder(tmp_path, files) as group:
        found = stats_v1.read_memory(group)
    assert (found.limit, found.swap_usage, found.swap_limit) == (None, 0, None)


def test_v1_pids(tmp_path: Path) -> None:
    with folder(tmp_path, {"pids.current": "4\n", "pids.max": "max\n"}) as group:
        assert stats_v1.read_pids(group) == PidsStats(4, None)


def test_v1_io_prefers_the_schedulers_counters(tmp_path: Path) -> None:
    throttle = "8:0 Read 5\n8:0 Total 5\nTotal 5\n"
    files = {
        "blkio.throttle.io_service_bytes_recursive": throttle,
        "blkio.throttle.io_serviced_recursive": "8:0 Read 1\nTotal 1\n",
    }
    with folder(tmp_path, files) as group:
        found = stats_v1.read_io(group)
        assert found.service_bytes == (IoEntry(8, 0, "Read", 5), IoEntry(8, 0, "Total", 5))
        assert found.serviced == (IoEntry(8, 0, "Read", 1),)
        (tmp_path / "blkio.bfq.io_service_bytes_recursive").write_text("8:16 Write 9\nTotal 9\n")
        (tmp_path / "blkio.bfq.time_recursive").write_text("8:16 77\n")
        found = stats_v1.read_io(group)
    assert found.service_bytes == (IoEntry(8, 16, "Write", 9),)
    assert found.time == (IoEntry(8, 16, "", 77),)


def test_v1_huge_pages(tmp_path: Path) -> None:
    files = {
        "hugetlb.2MB.usage_in_bytes": "5",
        "hugetlb.2MB.max_usage_in_bytes": "6",
        "hugetlb.2MB.failcnt": "7",
        "hugetlb.2MB.rsvd.usage_in_bytes": "8",
    }
    with folder(tmp_path, files) as group:
        assert stats_v1.read_hugepages(group) == (HugepageStats("2MB", 5, 6, 7),)


V2 = {
    "cpu.stat": "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnr_periods 1\nthrottled_usec 5\n",
    "memory.current": "1000\n",
    "memory.max": "max\n",
    "memory.peak": "1100\n",
    "memory.events": "low 0\nhigh 0\nmax 4\noom 3\noom_kill 2\n",
    "memory.stat": "anon 1\nfile 2\n",
    "memory.swap.current": "7\n",
    "memory.swap.max": "70\n",
    "pids.current": "3\n",
    "pids.max": "100\n",
    "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n7:0 \n",
    "hugetlb.2MB.current": "9\n",
    "hugetlb.2MB.rsvd.current": "9\n",
    "hugetlb.2MB.events": "max 6\n",
}


def test_v2(tmp_path: Path) -> None:
    with folder(tmp_path, V2) as group:
        found = read_stats(group)
    assert found.version == 2
    assert found.cpu == CpuStats(30_000, 10_000, 20_000, (), 1, 0, 5_000)
    details = (("anon", 1), ("file", 2))
    assert found.memory == MemoryStats(1000, 1100, 3, None, 7, 70, details, 2)
    assert found.pids == PidsStats(3, 100)
    assert found.io.service_bytes == (
        IoEntry(8, 0, "Read", 1),
        IoEntry(8, 0, "Write", 2),
        IoEntry(8, 0, "Discard", 5),
    )
    assert [entry.value for entry in found.io.serviced] == [3, 4, 6]
    assert found.hugepages == (HugepageStats("2MB", 9, 0, 6),)


def test_v2_with_few_controllers(tmp_path: Path) -> None:
    with folder(tmp_path, {"cpu.stat": "usage_usec 1\n"}) as group:
        found = read_stats(group)
    assert found.cpu.total == 1000
    assert found.memory == MemoryStats()
    assert found.pids == PidsStats()
