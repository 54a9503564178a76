"""Which cgroup hierarchies this process sees, and where in them it is (cgroups(7)).

Three set-ups exist: v1 (a hierarchy for each controller or pair of controllers), v2 (one unified
hierarchy) and hybrid (v1 with a unified hierarchy beside it, which has few controllers or none).
"""

from typing import NamedTuple

from wherry.linux.cgroup.directory import Directory

_OCTAL = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))


class Hierarchy(NamedTuple):
    """One mounted hierarchy; `own` is this process's place below the mount point ("" = there)."""

    version: int
    controllers: frozenset[str]
    mountpoint: str
    own: str


class Layout(NamedTuple):
    """All hierarchies; `unified` is None on plain v1, `v1` is empty on plain v2."""

    v1: tuple[Hierarchy, ...]
    unified: Hierarchy | None

    def of(self, controller: str) -> Hierarchy | None:
        """The hierarchy that a controller is bound to."""
        for hierarchy in self.v1:
            if controller in hierarchy.controllers:
                return hierarchy
        unified = self.unified
        return unified if unified is not None and controller in unified.controllers else None


class _Mount(NamedTuple):
    root: str
    mountpoint: str
    kind: str
    options: frozenset[str]


def detect() -> Layout:
    """Read the present layout. Raises OSError where /proc is not mounted."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        mounts = file.read()
    with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
        places = file.read()
    layout = parse(mounts, places)
    if layout.unified is None:
        return layout
    with Directory.open(layout.unified.mountpoint, "") as root:
        controllers = frozenset(root.read("cgroup.controllers").split())
    return layout._replace(unified=layout.unified._replace(controllers=controllers))


def parse(mountinfo: str, self_cgroup: str) -> Layout:
    """The layout from the texts of /proc/self/mountinfo and /proc/self/cgroup.

    The unified hierarchy's controllers are not in them and stay empty.
    """
    mounts = _cgroup_mounts(mountinfo)
    v1: list[Hierarchy] = []
    unified = None
    for line in self_cgroup.splitlines():
        number, names, place = line.split(":", 2)
        controllers = frozenset(name for name in names.split(",") if name)
        for mount in mounts:
            own = _below(place, mount.root)
            if number == "0" and not controllers and mount.kind == "cgroup2":
                unified = unified or Hierarchy(2, frozenset(), mount.mountpoint, own)
            elif controllers and mount.kind == "cgroup" and controllers <= mount.options:
                v1.append(Hierarchy(1, controllers, mount.mountpoint, own))
                break
    return Layout(tuple(v1), unified)


def _cgroup_mounts(mountinfo: str) -> list[_Mount]:
    """The places under /sys/fs/cgroup first: others are for somebody's own use."""
    mounts = []
    for line in mountinfo.splitlines():
        if " cgroup" not in line:
            continue
        head, _, tail = line.partition(" - ")
        kind, _, options = tail.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            words = head.split(" ")
            mounts.append(
                _Mount(_plain(words[3]), _plain(words[4]), kind, frozenset(options.split(",")))
            )
    return sorted(mounts, key=lambda mount: not mount.mountpoint.startswith("/sys/fs/cgroup"))


def _plain(text: str) -> str:
    for code, letter in _OCTAL:
        text = text.replace(code, letter)
    return text


def _below(place: str, root: str) -> str:
    """A path of /proc/self/cgroup relative to a mount whose top is `root` in the hierarchy.

    Where the mount does not contain the place (a cgroup namespace was left, or a part was
    mounted), the mount's top is the best there is.
    """
    if root in ("/", place):
        return "" if root == place else place.strip("/")
    if place.startswith(root.rstrip("/") + "/"):
        return place[len(root) :].strip("/")
    return ""
