"""One group: where a container is in one hierarchy, and what making it needs."""

import errno

from wherry.kit.errors import Conflict
from wherry.linux.cgroup import directory as directories
from wherry.linux.cgroup.directory import Directory, Prepare
from wherry.linux.cgroup.layout import Hierarchy

_NOT_OFFERED = (
    errno.ENOENT,
    errno.EINVAL,
    errno.EBUSY,
    errno.EOPNOTSUPP,
    errno.EACCES,
    errno.EPERM,
)


class Group:
    """A path below a hierarchy's mount point; the directory may or may not exist."""

    __slots__ = ("hierarchy", "path")

    def __init__(self, hierarchy: Hierarchy, path: str) -> None:
        self.hierarchy = hierarchy
        self.path = directories.checked(path)

    def __repr__(self) -> str:
        return f"Group({self.directory})"

    @property
    def directory(self) -> str:
        """The absolute path."""
        return f"{self.hierarchy.mountpoint}/{self.path}"

    def open(self, below: str = "") -> Directory:
        """The directory, or one below it. Raises FileNotFoundError."""
        return Directory.open(self.hierarchy.mountpoint, f"{self.path}/{below}")

    def create(self, prepare: Prepare | None = None) -> Directory:
        """Make what is missing; `prepare` as in linux.cgroup.directory.create."""
        return directories.create(self.hierarchy.mountpoint, self.path, prepare)

    def exists(self) -> bool:
        """Whether the directory is there."""
        try:
            self.open().close()
        except FileNotFoundError:
            return False
        return True


def refuse_occupied(group: Group, pids: list[int]) -> None:
    """A new container must not share its groups. Raises Conflict."""
    if pids:
        shown = ", ".join(str(pid) for pid in pids[:10])
        raise Conflict(f"cgroup {group.directory} is in use by the processes {shown}")


def enable_controllers(parent: Directory, child: Directory) -> None:
    """Let a v2 group's children have every controller that the group itself has.

    Some cannot be had (a delegated part, real-time processes in cpu, processes in the parent): the
    limits that need those fail later with a text that names the file.
    """
    del child
    wanted = set(parent.read("cgroup.controllers").split())
    missing = sorted(wanted - set(parent.read("cgroup.subtree_control").split()))
    if not missing:
        return
    try:
        parent.write("cgroup.subtree_control", " ".join(f"+{name}" for name in missing))
        return
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise
    for name in missing:
        try:
            parent.write("cgroup.subtree_control", f"+{name}")
        except OSError as error:
            if error.errno not in _NOT_OFFERED:
                raise
