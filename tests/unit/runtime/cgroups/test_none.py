"""Containers without a cgroup."""

import os
import time

import pytest

from wherry.kit.errors import Unsupported
from wherry.runtime.cgroups.none import PlacementNone, add_up, processes_like
from wherry.runtime.resources import Memory, Resources


def test_limits_are_reported() -> None:
    placed = PlacementNone()
    warnings = placed.create(Resources(memory=Memory(limit=1 << 30)))
    assert warnings == [
        "Your kernel does not support memory limit capabilities or the cgroup is not mounted. "
        "Limitation discarded."
    ]
    assert placed.apply(Resources()) == []


def test_nothing_is_faked() -> None:
    placed = PlacementNone()
    with pytest.raises(Unsupported, match="pause needs a freezer"):
        placed.freeze()
    with pytest.raises(Unsupported, match="cannot be watched"):
        placed.oom_events()
    placed.thaw()
    placed.remove()
    assert not placed.frozen()


def test_the_first_process_is_remembered() -> None:
    placed = PlacementNone()
    assert placed.pids() == []
    placed.join(None)
    placed.join(1)
    assert placed.pids() == [os.getpid()]  # it has no pid namespace of its own


def test_a_process_that_is_gone() -> None:
    assert processes_like(1 << 22) == []
    assert add_up([1 << 22]).memory.usage == 0


def test_use_is_added_up() -> None:
    deadline = time.process_time() + 0.05
    while time.process_time() < deadline:
        pass
    found = PlacementNone(os.getpid()).stats()
    assert found.version == 0
    assert found.cpu.total >= 30_000_000
    assert found.memory.usage > 1 << 20
    assert found.pids.current >= 1
