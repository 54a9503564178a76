"""Choosing where a container's processes go, and finding the place again.

`cgroupsPath` of config.json has two forms (runtime-spec, config-linux.md). As runc does with its
cgroupfs driver: an absolute path is below the top of each hierarchy, a relative one below the
group of the process that creates the container, none is the container's id as a relative path. And
the systemd form `slice:prefix:name`, which a plain user's container gets inside the scope that the
user's service manager has delegated (see scope.py).
"""

from typing import Protocol

from wherry.kit.errors import InvalidInput, Unsupported
from wherry.linux.cgroup.directory import checked
from wherry.linux.cgroup.layout import Hierarchy, Layout, detect
from wherry.linux.cgroup.oom import OomEvents
from wherry.runtime.cgroups.group import Group
from wherry.runtime.cgroups.none import PlacementNone
from wherry.runtime.cgroups.scope import is_delegated
from wherry.runtime.cgroups.stats import Stats
from wherry.runtime.cgroups.v1 import PlacementV1
from wherry.runtime.cgroups.v2 import PlacementV2
from wherry.runtime.resources import Resources


class Placement(Protocol):
    """The groups of one container. Lists of texts are warnings for the user."""

    @property
    def version(self) -> int:
        """1 and 2 for cgroup v1 (also hybrid) and v2, 0 for none."""

    def create(self, resources: Resources) -> list[str]:
        """Make the groups with these limits; on failure nothing is left.

        Raises Conflict (in use), InvalidInput (the kernel refuses a value), Unsupported, OSError.
        """

    def join(self, pid: int | None, below: str = "") -> None:
        """Move a process into the group, or into one `below` it.

        None moves the calling process, which must have one thread: on v1 that is 100 times as fast.
        """

    def apply(self, resources: Resources) -> list[str]:
        """Change the limits; None values stay as they are. Raises as create does."""

    def freeze(self) -> None:
        """Stop all processes. Raises Unavailable, Unsupported."""

    def thaw(self) -> None:
        """Let them run again."""

    def frozen(self) -> bool:
        """Whether they are stopped."""

    def pids(self) -> list[int]:
        """All processes, as seen from here; none where the groups are gone."""

    def stats(self) -> Stats:
        """What was used so far."""

    def oom_events(self) -> OomEvents:
        """A descriptor to poll for out-of-memory kills."""

    def remove(self) -> None:
        """Remove the groups with all below; gone is fine. Raises Conflict if processes stay."""


def placement(
    cgroups_path: str | None,
    container_id: str,
    *,
    rootless: bool,
    layout: Layout | None = None,
) -> Placement:
    """The place for a container; nothing is made yet.

    A plain user (`rootless`) gets a group on cgroup v2 where its own group was delegated to it,
    else none. Raises InvalidInput, Unsupported.
    """
    path = cgroups_path or container_id
    if _is_systemd(path):
        if not rootless:
            raise Unsupported(
                f"cgroup path {path!r}: root's containers are placed by the cgroupfs driver; "
                "give a path like /docker/ID"
            )
        path = "{1}-{2}.scope".format(*path.split(":"))
    if not checked(path):
        raise InvalidInput(f"cgroup path {path!r}: the top of the hierarchy is not for containers")
    found = detect() if layout is None else layout
    if rootless:
        return _for_plain_user(path, found)
    if found.v1:
        unified = found.unified
        groups = [Group(each, _place(each, path)) for each in found.v1]
        return PlacementV1(groups, Group(unified, _place(unified, path)) if unified else None)
    if found.unified is None:
        raise Unsupported("no cgroup hierarchy is mounted; mount cgroup2 at /sys/fs/cgroup")
    return PlacementV2(Group(found.unified, _place_v2(found.unified, path)), filter_devices=True)


def _is_systemd(path: str) -> bool:
    return path.count(":") == 2 and "/" not in path


def _place(hierarchy: Hierarchy, path: str) -> str:
    return path if path.startswith("/") else f"{hierarchy.own}/{path}"


def _place_v2(unified: Hierarchy, path: str) -> str:
    """Beside the caller, not below it: a v2 group with processes gives its children no control."""
    if path.startswith("/"):
        return path
    return f"{unified.own.rpartition('/')[0]}/{path}"


def _for_plain_user(path: str, layout: Layout) -> Placement:
    unified = layout.unified
    if unified is None or not is_delegated(layout):
        return PlacementNone()
    inside = unified.own.rpartition("/")[0]
    return PlacementV2(Group(unified, f"{inside}/{path.strip('/')}"), filter_devices=False)


def clone_descriptor(placed: Placement, below: str = "", beside: int | None = None) -> int | None:
    """A directory descriptor for clone3's CLONE_INTO_CGROUP, or None where `join` is the way.

    For another process in a running container: `below` is a path below its group; else `beside` is
    its first process. A container that manages groups itself (systemd) leaves its own group empty,
    and nothing can enter that: then the new process goes where `beside` is.
    """
    return placed.descriptor(below, beside) if isinstance(placed, PlacementV2) else None
