"""What only cgroup v1 has."""

import os
import time

import pytest

from tests.system.cgroup.conftest import Children
from wherry.kit.errors import InvalidInput, Unsupported
from wherry.runtime.cgroups.placement import Placement
from wherry.runtime.cgroups.state import directories_of
from wherry.runtime.cgroups.v1 import PlacementV1, rename
from wherry.runtime.resources import Memory, Network, Resources

pytestmark = pytest.mark.root


@pytest.fixture
def first(placed: Placement) -> PlacementV1:
    if not isinstance(placed, PlacementV1):
        pytest.skip("this machine does not use cgroup v1")
    return placed


def test_a_parked_group_becomes_a_containers(first: PlacementV1, children: Children) -> None:
    first.create(Resources(pids=9))
    pid = children.inside(first, lambda: time.sleep(600))
    before = directories_of(first)
    rename(first, "renamed")
    after = directories_of(first)
    assert not any(os.path.exists(folder) for folder in before.values())
    assert all(folder.endswith("/renamed") and os.path.isdir(folder) for folder in after.values())
    assert first.pids() == [pid]
    assert first.stats().pids == (1, 9)


@pytest.mark.parametrize("name", ["a/b", "", "..", "."])
def test_names_that_are_none(first: PlacementV1, name: str) -> None:
    first.create(Resources())
    with pytest.raises(InvalidInput, match="cgroup"):
        rename(first, name)


def test_the_oom_killer_can_be_switched_off(first: PlacementV1) -> None:
    first.create(Resources(memory=Memory(limit=64 << 20, disable_oom_killer=True)))
    with open(f"{directories_of(first)['memory']}/memory.oom_control", encoding="ascii") as file:
        assert file.readline() == "oom_kill_disable 1\n"


def test_a_controller_that_is_not_mounted(first: PlacementV1) -> None:
    if "net_cls" in directories_of(first):
        pytest.skip("net_cls is mounted here")
    with pytest.raises(Unsupported, match="not mounted: net_cls"):
        first.create(Resources(network=Network(class_id=5)))


def test_cpusets_inherit_what_they_must_have(first: PlacementV1) -> None:
    first.create(Resources())
    folder = directories_of(first)["cpuset"]
    for name in ("cpuset.cpus", "cpuset.mems"):
        with open(f"{folder}/{name}", encoding="ascii") as file:
            assert file.read().strip()
