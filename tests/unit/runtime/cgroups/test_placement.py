"""Where containers go, by layout and user; and finding the place again."""

import os
from pathlib import Path

import pytest

from wherry.kit.errors import Corrupt, InvalidInput, Unsupported
from wherry.linux.cgroup.layout import Hierarchy, Layout
from wherry.runtime.cgroups.none import PlacementNone
from wherry.runtime.cgroups.placement import clone_descriptor, placement
from wherry.runtime.cgroups.state import directories_of, from_state, to_state

MEMORY = Hierarchy(1, frozenset({"memory"}), "/cg/memory", "me/here")
CPU = Hierarchy(1, frozenset({"cpu", "cpuacct"}), "/cg/cpu,cpuacct", "")
UNIFIED = Hierarchy(2, frozenset({"memory", "pids"}), "/cg", "me/session.scope")
V1 = Layout((MEMORY, CPU), None)
V2 = Layout((), UNIFIED)


@pytest.mark.parametrize(
    ("path", "layout", "wanted"),
    [
        (
            "/docker/abc",
            V1,
            {
                "memory": "/cg/memory/docker/abc",
                "cpu": "/cg/cpu,cpuacct/docker/abc",
                "cpuacct": "/cg/cpu,cpuacct/docker/abc",
            },
        ),
        (
            "rel",
            V1,
            {
                "memory": "/cg/memory/me/here/rel",
                "cpu": "/cg/cpu,cpuacct/rel",
                "cpuacct": "/cg/cpu,cpuacct/rel",
            },
        ),
        ("/docker/abc", V2, {"": "/cg/docker/abc"}),
        ("rel/x", V2, {"": "/cg/me/rel/x"}),
        (None, V2, {"": "/cg/me/ID"}),
    ],
)
def test_root(path: str | None, layout: Layout, wanted: dict[str, str]) -> None:
    placed = placement(path, "ID", rootless=False, layout=layout)
    assert directories_of(placed) == wanted
    again = from_state(to_state(placed))
    assert directories_of(again) == wanted
    assert to_state(again) == to_state(placed)


@pytest.mark.parametrize("path", ["/../etc", "a/../../b", "/", "//"])
def test_paths_that_lead_astray(path: str) -> None:
    with pytest.raises(InvalidInput, match="cgroup path"):
        placement(path, "ID", rootless=False, layout=V1)


def test_roots_systemd_form_is_refused() -> None:
    with pytest.raises(Unsupported, match="cgroupfs driver"):
        placement("system.slice:docker:abc", "abc", rootless=False, layout=V2)


def test_no_hierarchy() -> None:
    with pytest.raises(Unsupported, match="no cgroup hierarchy is mounted"):
        placement("/a", "a", rootless=False, layout=Layout((), None))


def test_a_plain_user_on_v1_has_no_group() -> None:
    placed = placement("/docker/abc", "abc", rootless=True, layout=V1)
    assert isinstance(placed, PlacementNone)
    assert from_state(to_state(placed)).version == 0
    assert directories_of(placed) == {}
    assert clone_descriptor(placed) is None


def test_a_plain_user_with_a_delegated_group(tmp_path: Path) -> None:
    inside = tmp_path / "user/app"
    (inside / "session.scope").mkdir(parents=True)
    for name in ("cgroup.procs", "cgroup.subtree_control"):
        (inside / name).touch()
    unified = Hierarchy(2, frozenset({"memory"}), str(tmp_path), "user/app/session.scope")
    placed = placement("/docker/abc", "abc", rootless=True, layout=Layout((), unified))
    assert directories_of(placed) == {"": f"{inside}/docker/abc"}
    scope = placement("user.slice:docker:abc", "abc", rootless=True, layout=Layout((), unified))
    assert directories_of(scope) == {"": f"{inside}/docker-abc.scope"}
    os.unlink(inside / "cgroup.subtree_control")
    placed = placement("/docker/abc", "abc", rootless=True, layout=Layout((), unified))
    assert placed.version == 0


@pytest.mark.parametrize(
    "state", [{}, {"version": 1}, {"version": 2, "groups": []}, {"version": 1, "groups": [3]}]
)
def test_broken_state(state: dict[str, object]) -> None:
    with pytest.raises(Corrupt, match="broken cgroup state"):
        from_state(state)
