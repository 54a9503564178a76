"""What only cgroup v2 has; on other machines these run in the guest (`./dev test v2`)."""

import os
import time
from collections.abc import Iterator

import pytest

from tests.system.cgroup.conftest import PARENT, Children
from wherry.kit.errors import InvalidInput, Unsupported
from wherry.linux.cgroup import directory as directories
from wherry.linux.cgroup.layout import Layout, detect
from wherry.linux.namespace import fork
from wherry.runtime.cgroups.placement import Placement, clone_descriptor, placement
from wherry.runtime.cgroups.scope import is_delegated, settle
from wherry.runtime.cgroups.state import directories_of
from wherry.runtime.cgroups.v2 import PlacementV2
from wherry.runtime.resources import (
    BlockIo,
    Cpu,
    Memory,
    Resources,
    ThrottleDevice,
    parse_resources,
)

MIB = 1 << 20
PLAIN = 65533
pytestmark = pytest.mark.root


@pytest.fixture
def second(placed: Placement) -> PlacementV2:
    if not isinstance(placed, PlacementV2):
        pytest.skip("this machine does not use cgroup v2")
    return placed


def read(placed: Placement, name: str) -> str:
    with open(f"{directories_of(placed)['']}/{name}", encoding="ascii") as file:
        return file.read().strip()


def start_inside(placed: Placement, children: Children, beside: int | None = None) -> int:
    descriptor = clone_descriptor(placed, beside=beside)
    assert descriptor is not None
    pid = fork(cgroup_fd=descriptor)
    if pid == 0:
        time.sleep(600)
        os._exit(1)
    os.close(descriptor)
    children.pids.append(pid)
    return pid


def test_a_child_begins_inside(second: PlacementV2, children: Children) -> None:
    second.create(Resources())
    pid = start_inside(second, children)
    assert second.pids() == [pid]


def test_values_in_the_kernels_words(second: PlacementV2) -> None:
    resources = {
        "memory": {"limit": 64 * MIB, "swap": 96 * MIB, "reservation": 16 * MIB},
        "cpu": {"shares": 2048, "quota": 25000, "period": 50000, "burst": 1000},
        "pids": {"limit": -1},
        "unified": {"memory.high": "48M", "cpu.weight.nice": "-3"},
    }
    assert second.create(parse_resources(resources)) == []
    assert read(second, "memory.max") == str(64 * MIB)
    assert read(second, "memory.swap.max") == str(32 * MIB)
    assert read(second, "memory.low") == str(16 * MIB)
    assert read(second, "memory.high") == str(48 * MIB)
    assert read(second, "cpu.max") == "25000 50000"
    assert read(second, "cpu.max.burst") == "1000"
    assert read(second, "cpu.weight.nice") == "-3"
    assert read(second, "pids.max") == "max"


def test_idle_and_no_swap(second: PlacementV2) -> None:
    second.create(Resources(cpu=Cpu(idle=1), memory=Memory(limit=MIB * 50, swap=MIB * 50)))
    assert read(second, "cpu.idle") == "1"
    assert read(second, "memory.swap.max") == "0"


def test_a_unified_file_that_is_not_there(second: PlacementV2) -> None:
    with pytest.raises(Unsupported, match=r"no .*/memory\.maximum"):
        second.create(Resources(unified=(("memory.maximum", "1"),)))
    with pytest.raises(InvalidInput, match=r"refuses 'many' for .*/pids\.max"):
        second.create(Resources(unified=(("pids.max", "many"),)))


def test_device_rates(second: PlacementV2) -> None:
    with open("/proc/partitions", encoding="ascii") as file:
        rows = [line.split() for line in file if line.strip()][1:]
    if not rows:
        pytest.skip("no block device here")
    major, minor = int(rows[0][0]), int(rows[0][1])
    device = f"{major}:{minor}"
    second.create(Resources(block_io=BlockIo(read_bps=(ThrottleDevice(major, minor, MIB),))))
    assert read(second, "io.max") == f"{device} rbps={MIB} wbps=max riops=max wiops=max"
    second.apply(Resources(block_io=BlockIo(write_iops=(ThrottleDevice(major, minor, 9),))))
    second.apply(Resources(block_io=BlockIo(read_bps=(ThrottleDevice(major, minor, 0),))))
    assert read(second, "io.max") == f"{device} rbps=max wbps=max riops=max wiops=9"


def test_a_parent_with_processes_gives_no_controllers(
    second: PlacementV2, layout: Layout, children: Children
) -> None:
    second.create(Resources())
    start_inside(second, children)
    path = f"/{second.group.path}/inner"
    inner = placement(path, "x", rootless=False, layout=layout)
    with pytest.raises(Unsupported, match=r"domain|memory\.max"):
        inner.create(Resources(memory=Memory(limit=MIB)))
    assert not os.path.exists(directories_of(inner)[""])


def test_exec_beside_processes_of_a_container_that_manages_groups(
    second: PlacementV2, children: Children
) -> None:
    """As systemd does it: everything in init.scope, controllers for the others."""
    second.create(Resources())
    init = start_inside(second, children)
    folder = directories_of(second)[""]
    os.mkdir(f"{folder}/init.scope")
    with open(f"{folder}/init.scope/cgroup.procs", "w", encoding="ascii") as file:
        file.write(str(init))
    with open(f"{folder}/cgroup.subtree_control", "w", encoding="ascii") as file:
        file.write("+memory +pids")
    with pytest.raises(OSError, match="Device or resource busy"):
        start_inside(second, children)
    other = start_inside(second, children, beside=init)
    assert second.pids() == sorted([init, other])


def test_removal_of_groups_with_controllers(second: PlacementV2) -> None:
    second.create(Resources())
    folder = directories_of(second)[""]
    os.makedirs(f"{folder}/a/b")
    with open(f"{folder}/cgroup.subtree_control", "w", encoding="ascii") as file:
        file.write("+memory")
    second.remove()
    assert not os.path.exists(folder)


@pytest.fixture
def delegated(layout: Layout) -> Iterator[str]:
    """A group that belongs to a plain user, as a service manager would hand it out."""
    if layout.v1 or layout.unified is None:
        pytest.skip("this machine does not use cgroup v2")
    path = f"{layout.unified.mountpoint}/{PARENT}-user"
    os.makedirs(f"{path}/a.scope")
    controllers = "+memory +pids +cpu"
    for folder in (path, f"{path}/a.scope"):
        for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
            os.chown(f"{folder}/{name}", PLAIN, PLAIN)
    with open(f"{path}/cgroup.subtree_control", "w", encoding="ascii") as file:
        file.write(controllers)
    yield path
    directories.remove(layout.unified.mountpoint, f"{PARENT}-user")


def test_a_plain_user_in_a_delegated_scope(delegated: str, children: Children) -> None:
    def work() -> None:
        with open(f"{delegated}/a.scope/cgroup.procs", "w", encoding="ascii") as file:
            file.write("0")
        os.setgroups([])
        os.setresgid(PLAIN, PLAIN, PLAIN)
        os.setresuid(PLAIN, PLAIN, PLAIN)
        settled = settle(detect())
        assert is_delegated(settled)
        placed = placement("/docker/abc", "abc", rootless=True, layout=settled)
        assert placed.version == 2
        assert placed.create(Resources(memory=Memory(limit=64 * MIB), pids=5)) == []
        assert read(placed, "memory.max") == str(64 * MIB)
        pid = start_inside(placed, Children())
        assert placed.pids() == [pid]
        placed.freeze()
        placed.thaw()
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        placed.remove()

    assert children.wait(children.fork(work)) == 0
