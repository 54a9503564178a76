"""Groups in the real kernel: whatever version this machine has."""

import contextlib
import errno
import mmap
import os
import select
import signal
import stat
import tempfile
import time
from collections.abc import Callable

import pytest

from tests.system.cgroup.conftest import PARENT, Children
from wherry.kit.errors import Conflict, InvalidInput, WherryError
from wherry.linux.cgroup.layout import Layout
from wherry.runtime.cgroups.kill import kill_all, signal_all
from wherry.runtime.cgroups.placement import Placement, clone_descriptor, placement
from wherry.runtime.cgroups.state import directories_of, from_state, to_state
from wherry.runtime.resources import (
    Cpu,
    DeviceRule,
    HugepageLimit,
    Memory,
    Resources,
    parse_resources,
)

MIB = 1 << 20
pytestmark = pytest.mark.root


def eventually(check: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def pause() -> None:
    time.sleep(600)


def control(placed: Placement, controller: str, v1: str, v2: str) -> str:
    """A control file's text, by its name in either version."""
    folders = directories_of(placed)
    path = f"{folders[controller]}/{v1}" if placed.version == 1 else f"{folders['']}/{v2}"
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def test_limits_reach_the_kernel(placed: Placement) -> None:
    resources = Resources(
        memory=Memory(limit=64 * MIB, reservation=32 * MIB),
        cpu=Cpu(shares=1024, quota=50000, period=100000, cpus="0", mems="0"),
        pids=50,
    )
    assert placed.create(resources) == []
    assert control(placed, "memory", "memory.limit_in_bytes", "memory.max") == str(64 * MIB)
    assert control(placed, "memory", "memory.soft_limit_in_bytes", "memory.low") == str(32 * MIB)
    assert control(placed, "cpuset", "cpuset.cpus", "cpuset.cpus") == "0"
    assert control(placed, "pids", "pids.max", "pids.max") == "50"
    assert control(placed, "cpu", "cpu.shares", "cpu.weight") in ("1024", "100")
    assert control(placed, "cpu", "cpu.cfs_quota_us", "cpu.max") in ("50000", "50000 100000")


def test_a_child_joins_by_itself(placed: Placement, children: Children) -> None:
    placed.create(Resources())
    pid = children.inside(placed, pause)
    assert placed.pids() == [pid]
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
        places = [line.strip().split(":", 2) for line in file]
    ours = [place for _, controllers, place in places if place.startswith(f"/{PARENT}/")]
    assert len(ours) >= len([place for place in places if place[1]] or [1])


def test_a_process_is_moved(placed: Placement, children: Children) -> None:
    placed.create(Resources())
    pid = children.fork(pause)
    placed.join(pid)
    assert placed.pids() == [pid]


def test_a_process_is_moved_below(placed: Placement, children: Children) -> None:
    placed.create(Resources())
    for folder in set(directories_of(placed).values()):
        os.mkdir(f"{folder}/inner")
    if placed.version == 1:
        for name in ("cpuset.cpus", "cpuset.mems"):
            folder = directories_of(placed)["cpuset"]
            with open(f"{folder}/{name}") as parent, open(f"{folder}/inner/{name}", "w") as child:
                child.write(parent.read())
    pid = children.fork(pause)
    placed.join(pid, "inner")
    assert placed.pids() == [pid]
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
        assert "/inner\n" in file.read()
    with pytest.raises(InvalidInput, match=r"'\.\.' and control characters"):
        placed.join(pid, "../..")


def test_the_pids_limit_holds(placed: Placement, children: Children) -> None:
    placed.create(Resources(pids=3))

    def work() -> None:
        for _ in range(2):
            if os.fork() == 0:
                pause()
        with pytest.raises(BlockingIOError):
            os.fork()

    assert children.wait(children.inside(placed, work)) == 0
    kill_all(placed)


def test_memory_kills_are_told(placed: Placement, children: Children) -> None:
    placed.create(Resources(memory=Memory(limit=32 * MIB, swap=32 * MIB)))
    events = placed.oom_events()
    try:
        assert events.take() == 0

        def work() -> None:
            with mmap.mmap(-1, 128 * MIB) as area:
                for at in range(0, 128 * MIB, 4096):
                    area[at] = 1

        assert children.wait(children.inside(placed, work)) == -signal.SIGKILL
        assert select.select([events.fd], [], [], 5)[0] == [events.fd]
        assert events.take() == 1
        assert events.take() == 0
        assert placed.stats().memory.oom_kills == 1
        placed.remove()
        assert events.kills() == 1
    finally:
        events.close()


def test_removal_is_no_memory_kill(placed: Placement) -> None:
    """v1's eventfd also fires when the group goes."""
    placed.create(Resources(memory=Memory(limit=32 * MIB)))
    events = placed.oom_events()
    placed.remove()
    assert events.take() == 0
    events.close()


def test_frozen_processes_stand_still(placed: Placement, children: Children) -> None:
    placed.create(Resources())
    with mmap.mmap(-1, 4096) as counter:

        def work() -> None:
            while True:
                counter[0] = (counter[0] + 1) % 256
                time.sleep(0.001)

        children.inside(placed, work)
        eventually(lambda: counter[0] > 0)
        placed.freeze()
        placed.freeze()
        assert placed.frozen()
        before = counter[0]
        time.sleep(0.1)
        assert counter[0] == before
        placed.thaw()
        assert not placed.frozen()
        eventually(lambda: counter[0] != before)


def test_killing_a_frozen_container(placed: Placement, children: Children) -> None:
    placed.create(Resources())
    pid = children.inside(placed, pause)
    placed.freeze()
    kill_all(placed)
    assert placed.pids() == []
    assert children.wait(pid) == -signal.SIGKILL


def test_nobody_escapes_being_killed(placed: Placement, children: Children) -> None:
    placed.create(Resources(pids=60))

    def bomb() -> None:
        while True:
            with contextlib.suppress(BlockingIOError):
                os.fork()

    children.inside(placed, bomb)
    eventually(lambda: len(placed.pids()) > 20)
    kill_all(placed)
    assert placed.pids() == []


def test_a_signal_to_all(placed: Placement, children: Children) -> None:
    placed.create(Resources())
    pids = [children.inside(placed, pause) for _ in range(3)]
    signal_all(placed, signal.SIGTERM)
    assert [children.wait(pid) for pid in pids] == [-signal.SIGTERM] * 3
    assert not placed.frozen()


def test_a_frozen_container_stays_frozen_after_a_signal(
    placed: Placement, children: Children
) -> None:
    placed.create(Resources())
    pid = children.inside(placed, pause)
    placed.freeze()
    signal_all(placed, signal.SIGTERM)
    assert placed.frozen()
    placed.thaw()
    assert children.wait(pid) == -signal.SIGTERM


DENY_ALL = DeviceRule(False)
KMSG = DeviceRule(True, "c", 1, 11, "r")


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [((DENY_ALL,), errno.EPERM), ((DENY_ALL, KMSG), 0), ((), 0)],
)
def test_devices(
    placed: Placement, children: Children, rules: tuple[DeviceRule, ...], wanted: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, minor in (("kmsg", 11), ("null", 3)):
            os.mknod(f"{folder}/{name}", stat.S_IFCHR | 0o600, os.makedev(1, minor))
        placed.create(Resources(devices=rules))

        def work() -> None:
            os.close(os.open(f"{folder}/null", os.O_RDWR))
            os.mknod(f"{folder}/another", stat.S_IFCHR | 0o600, os.makedev(1, 11))
            try:
                os.close(os.open(f"{folder}/kmsg", os.O_RDONLY | os.O_NONBLOCK))
            except OSError as error:
                os._exit(error.errno)

        assert children.wait(children.inside(placed, work)) == wanted


def test_device_rules_can_be_changed(placed: Placement, children: Children) -> None:
    placed.create(Resources(devices=(DENY_ALL,)))
    with tempfile.TemporaryDirectory() as folder:
        os.mknod(f"{folder}/kmsg", stat.S_IFCHR | 0o600, os.makedev(1, 11))

        def work() -> None:
            try:
                os.close(os.open(f"{folder}/kmsg", os.O_RDONLY | os.O_NONBLOCK))
            except OSError as error:
                os._exit(error.errno)

        for rules, wanted in (((DENY_ALL,), 1), ((DENY_ALL, KMSG), 0), ((DENY_ALL,), 1)):
            placed.apply(Resources(devices=rules))
            assert children.wait(children.inside(placed, work)) == wanted


def test_memory_limits_grow_and_shrink(placed: Placement) -> None:
    placed.create(Resources(memory=Memory(limit=64 * MIB, swap=128 * MIB)))
    for limit, swap in ((256, 512), (20, 20), (100, -1), (30, 60)):
        swap_bytes = swap * MIB if swap > 0 else swap
        placed.apply(Resources(memory=Memory(limit=limit * MIB, swap=swap_bytes)))
        found = placed.stats().memory
        assert found.limit == limit * MIB
        assert found.swap_limit == (None if swap < 0 else (swap - limit) * MIB)
    placed.apply(Resources(memory=Memory(limit=-1)))
    assert placed.stats().memory.limit is None


def test_cpu_periods_grow_and_shrink(placed: Placement) -> None:
    placed.create(Resources(cpu=Cpu(quota=50000, period=100000)))
    for quota, period in ((500000, 1000000), (1000, 1000), (200000, 100000)):
        placed.apply(Resources(cpu=Cpu(quota=quota, period=period)))
        found = control(placed, "cpu", "cpu.cfs_quota_us", "cpu.max")
        assert found in (str(quota), f"{quota} {period}")


def test_use_is_counted(placed: Placement, children: Children) -> None:
    placed.create(Resources(pids=9))
    reading, writing = os.pipe()

    def work() -> None:
        area = bytearray(20 * MIB)
        deadline = time.process_time() + 0.1
        while time.process_time() < deadline:
            area[0] += 1
            area[0] = 0
        os.write(writing, b"x")
        pause()

    children.inside(placed, work)
    os.read(reading, 1)
    os.close(reading)
    os.close(writing)
    found = placed.stats()
    assert found.version == placed.version
    assert found.cpu.total > 90_000_000
    assert abs(found.cpu.user + found.cpu.system - found.cpu.total) < 50_000_000
    assert found.memory.usage > 15 * MIB
    assert dict(found.memory.details)
    assert found.pids == (1, 9)


def test_huge_pages(placed: Placement, children: Children) -> None:
    pages = Resources(hugepage_limits=(HugepageLimit("2MB", 4 * MIB),))
    if not os.path.exists("/sys/kernel/mm/hugepages/hugepages-2048kB"):
        pytest.skip("no huge pages of 2 MB on this machine")
    placed.create(pages)
    children.inside(placed, pause)
    assert [each.usage for each in placed.stats().hugepages if each.page_size == "2MB"] == [0]


def test_huge_pages_asked_for_later(placed: Placement, children: Children) -> None:
    """In a hybrid layout the processes then move into the unified hierarchy."""
    if not os.path.exists("/sys/kernel/mm/hugepages/hugepages-2048kB"):
        pytest.skip("no huge pages of 2 MB on this machine")
    placed.create(Resources())
    pid = children.inside(placed, pause)
    placed.apply(Resources(hugepage_limits=(HugepageLimit("2MB", 4 * MIB),)))
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
        assert f"0::/{PARENT}/" in file.read()


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"cpu": {"cpus": "4095"}}, r"cpuset\.cpus"),
        ({"cpu": {"shares": 1}}, "minimum allowed cpu-shares is 2"),
        (
            {"blockIO": {"throttleReadBpsDevice": [{"major": 250, "minor": 99, "rate": 5}]}},
            "250:99",
        ),
        ({"hugepageLimits": [{"pageSize": "3MB", "limit": 1}]}, r"hugetlb\.3MB"),
    ],
)
def test_a_refused_limit_leaves_nothing(
    placed: Placement, asked: dict[str, object], text: str
) -> None:
    with pytest.raises(WherryError, match=text):
        placed.create(parse_resources(asked))
    for folder in directories_of(placed).values():
        assert not os.path.exists(folder)


def test_memory_below_the_usage(placed: Placement, children: Children) -> None:
    placed.create(Resources())
    reading, writing = os.pipe()

    def work() -> None:
        with mmap.mmap(-1, 32 * MIB) as area:
            for at in range(0, 32 * MIB, 4096):
                area[at] = 1
            os.write(writing, b"x")
            pause()

    children.inside(placed, work)
    os.read(reading, 1)
    careful = Memory(limit=4 * MIB, swap=4 * MIB, check_before_update=True)
    with pytest.raises(InvalidInput, match=r"bytes (are )?in use"):
        placed.apply(Resources(memory=careful))


def test_a_group_in_use_is_refused(placed: Placement, children: Children) -> None:
    placed.create(Resources())
    pid = children.inside(placed, pause)
    again = from_state(to_state(placed))
    with pytest.raises(Conflict, match=f"in use by the processes {pid}"):
        again.create(Resources())
    assert placed.pids() == [pid]


def test_removal_waits_for_none_that_stay(placed: Placement, children: Children) -> None:
    placed.create(Resources())
    pid = children.inside(placed, pause)
    with pytest.raises(Conflict, match=f"still in use by the processes {pid}"):
        placed.remove()
    assert placed.pids() == [pid]


def test_removal_takes_groups_that_the_container_made(
    placed: Placement, children: Children
) -> None:
    placed.create(Resources())
    folders = set(directories_of(placed).values())

    def work() -> None:
        for folder in folders:
            os.makedirs(f"{folder}/a/b")
            os.makedirs(f"{folder}/c")

    assert children.wait(children.inside(placed, work)) == 0
    placed.remove()
    assert not any(os.path.exists(folder) for folder in folders)
    placed.remove()


def test_groups_are_found_after_their_owner_was_killed(
    placed: Placement, children: Children
) -> None:
    state = to_state(placed)
    reading, writing = os.pipe()

    def owner() -> None:
        from_state(state).create(Resources(pids=20))
        if os.fork() == 0:
            from_state(state).join(None)
            os.write(writing, b"x")
            pause()
        pause()

    pid = children.fork(owner)
    os.read(reading, 1)
    os.kill(pid, signal.SIGKILL)
    children.wait(pid)
    found = from_state(state)
    assert len(found.pids()) == 1
    kill_all(found)
    found.remove()
    assert not any(os.path.exists(folder) for folder in directories_of(found).values())


def test_a_relative_path_is_below_or_beside_ourselves(layout: Layout) -> None:
    name = f"{PARENT}-relative"
    placed = placement(name, "x", rootless=False)
    placed.create(Resources())
    try:
        for folder in directories_of(placed).values():
            assert folder.endswith(f"/{name}")
            assert os.path.isdir(folder)
    finally:
        placed.remove()


def test_version_2_gives_a_descriptor_for_clone(placed: Placement) -> None:
    placed.create(Resources())
    descriptor = clone_descriptor(placed)
    assert (descriptor is not None) == (placed.version == 2)
    if descriptor is not None:
        assert os.path.samestat(os.fstat(descriptor), os.stat(directories_of(placed)[""]))
        os.close(descriptor)
