"""Finding a container's groups again: in another process, and after the one that made them died."""

from wherry.kit.errors import Corrupt, Unsupported
from wherry.linux.cgroup.layout import Hierarchy
from wherry.runtime.cgroups.group import Group
from wherry.runtime.cgroups.none import PlacementNone
from wherry.runtime.cgroups.placement import Placement
from wherry.runtime.cgroups.v1 import PlacementV1
from wherry.runtime.cgroups.v2 import PlacementV2

State = dict[str, object]
"""JSON: what another process needs to find the groups of a container."""


def to_state(placed: Placement) -> State:
    """For the container's state file."""
    if isinstance(placed, PlacementV1):
        unified = placed.unified
        return {
            "version": 1,
            "groups": [_group_state(group) for group in placed.groups],
            "unified": _group_state(unified) if unified else None,
        }
    if isinstance(placed, PlacementV2):
        return {
            "version": 2,
            "groups": [_group_state(placed.group)],
            "filter_devices": placed.filter_devices,
        }
    if isinstance(placed, PlacementNone):
        return {"version": 0, "init": placed.init}
    raise Unsupported(f"{type(placed).__name__} cannot be kept in a state file")


def from_state(state: State) -> Placement:
    """The inverse of to_state. Raises Corrupt."""
    try:
        return _from_state(state)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Corrupt(f"broken cgroup state {state!r}: {error}") from error


def _from_state(state: State) -> Placement:
    version = state["version"]
    if version == 0:
        init = state["init"]
        return PlacementNone(init if isinstance(init, int) else None)
    groups = state["groups"]
    if not isinstance(groups, list) or not groups:
        raise TypeError("groups is not a list with entries")
    if version == 2:
        return PlacementV2(_group(groups[0]), filter_devices=state.get("filter_devices") is True)
    unified = state.get("unified")
    return PlacementV1([_group(each) for each in groups], _group(unified) if unified else None)


def _group_state(group: Group) -> State:
    hierarchy = group.hierarchy
    return {
        "controllers": sorted(hierarchy.controllers),
        "mountpoint": hierarchy.mountpoint,
        "path": group.path,
        "version": hierarchy.version,
    }


def _group(value: object) -> Group:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is not an object")
    controllers = frozenset(str(name) for name in value["controllers"])
    hierarchy = Hierarchy(int(value["version"]), controllers, str(value["mountpoint"]), "")
    return Group(hierarchy, str(value["path"]))


def directories_of(placed: Placement) -> dict[str, str]:
    """Controller (v2: "") → absolute directory, as runc's `cgroup_paths`."""
    if isinstance(placed, PlacementV1):
        return {
            controller: group.directory
            for group in placed.groups
            for controller in sorted(group.hierarchy.controllers)
        }
    return {"": placed.group.directory} if isinstance(placed, PlacementV2) else {}
