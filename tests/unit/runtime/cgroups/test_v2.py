"""cgroup v2 on a tree of ordinary files that looks like the kernel's."""

from pathlib import Path

import pytest

from wherry.kit.errors import Conflict, InvalidInput, Unsupported
from wherry.linux.cgroup.layout import Hierarchy
from wherry.runtime.cgroups.group import Group, enable_controllers
from wherry.runtime.cgroups.v2 import PlacementV2
from wherry.runtime.resources import Cpu, Memory, Resources

FILES = {
    "cgroup.procs": "",
    "cgroup.type": "domain\n",
    "cgroup.controllers": "cpu memory pids\n",
    "cgroup.subtree_control": "",
    "memory.max": "",
    "memory.current": "500\n",
    "pids.max": "",
    "cpu.weight": "",
    "cgroup.freeze": "0\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """/ and /docker and /docker/abc, each with its control files."""
    for path in (tmp_path, tmp_path / "docker", tmp_path / "docker/abc"):
        path.mkdir(exist_ok=True)
        for name, text in FILES.items():
            (path / name).write_text(text)
    return tmp_path


def placed(tree: Path) -> PlacementV2:
    hierarchy = Hierarchy(2, frozenset({"memory"}), str(tree), "")
    return PlacementV2(Group(hierarchy, "docker/abc"), filter_devices=False)


def test_create_enables_controllers_above_and_writes_limits(tree: Path) -> None:
    resources = Resources(memory=Memory(limit=1000), cpu=Cpu(shares=1024), pids=7)
    assert placed(tree).create(resources) == []
    assert (tree / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    assert (tree / "docker/cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    assert (tree / "docker/abc/cgroup.subtree_control").read_text() == ""
    assert (tree / "docker/abc/memory.max").read_text() == "1000"
    assert (tree / "docker/abc/cpu.weight").read_text() == "100"


def test_what_v2_does_not_have_is_told_at_creation(tree: Path) -> None:
    warnings = placed(tree).create(Resources(memory=Memory(swappiness=5)))
    assert warnings == ["cgroup v2 does not support memory swappiness; it is ignored"]


def test_only_missing_controllers_are_enabled(tree: Path) -> None:
    (tree / "cgroup.subtree_control").write_text("cpu memory pids\n")
    group = Group(Hierarchy(2, frozenset(), str(tree), ""), "docker")
    group.create(enable_controllers).close()
    assert (tree / "cgroup.subtree_control").read_text() == "cpu memory pids\n"


def test_a_group_in_use_is_refused(tree: Path) -> None:
    (tree / "docker/abc/cgroup.procs").write_text("17\n")
    with pytest.raises(Conflict, match="docker/abc is in use by the processes 17"):
        placed(tree).create(Resources())


def test_a_threaded_group_is_refused(tree: Path) -> None:
    (tree / "docker/abc/cgroup.type").write_text("domain invalid\n")
    with pytest.raises(Unsupported, match="another --cgroup-parent"):
        placed(tree).create(Resources())


def test_join(tree: Path) -> None:
    placed(tree).join(41)
    assert (tree / "docker/abc/cgroup.procs").read_text() == "41"
    (tree / "docker/abc/cgroup.procs").write_text("")
    placed(tree).join(None)
    assert (tree / "docker/abc/cgroup.procs").read_text() == "0"


def test_a_limit_below_the_usage_is_refused_where_asked(tree: Path) -> None:
    careful = Memory(limit=100, check_before_update=True)
    with pytest.raises(InvalidInput, match="memory limit 100 is below the 500 bytes in use"):
        placed(tree).apply(Resources(memory=careful))
    placed(tree).apply(Resources(memory=Memory(limit=100)))
    assert (tree / "docker/abc/memory.max").read_text() == "100"


def test_frozen(tree: Path) -> None:
    assert placed(tree).frozen() is False
    (tree / "docker/abc/cgroup.freeze").write_text("1\n")
    assert placed(tree).frozen() is True


def test_a_group_that_is_gone_has_no_processes(tmp_path: Path) -> None:
    assert placed(tmp_path).pids() == []
    assert placed(tmp_path).frozen() is False
    placed(tmp_path).remove()


def test_oom_events_need_the_memory_controller(tree: Path) -> None:
    with pytest.raises(Unsupported, match="does not have the memory controller"):
        placed(tree).oom_events()


def test_oom_events_count_kills(tree: Path) -> None:
    events = tree / "docker/abc/memory.events"
    events.write_text("oom 0\noom_kill 1\n")
    watch = placed(tree).oom_events()
    try:
        assert watch.take() == 1
        assert watch.take() == 0
        events.write_text("oom 2\noom_kill 3\n")
        assert watch.take() == 2
        assert watch.kills() == 3
    finally:
        watch.close()
