"""Whether a bind source can propagate mounts as it was asked to. Blocking."""

import os
from collections.abc import Iterable

from wherry.engine.records import MountPoint
from wherry.kit.errors import InvalidInput
from wherry.linux import mountinfo


def check(points: Iterable[MountPoint]) -> None:
    """Raises InvalidInput with dockerd's text: a private mount has nothing to share or to hear."""
    asked = [
        point for point in points if point.type == "bind" and _kind(point) in ("shared", "slave")
    ]
    if not asked:
        return
    mounts = mountinfo.read()
    for point in asked:
        where = _mount_of(os.path.realpath(point.source), mounts)
        tags = {tag.partition(":")[0] for tag in where.tags}
        wanted, text = {"shared"}, "a shared mount"
        if _kind(point) == "slave":
            wanted, text = {"shared", "master"}, "a shared or slave mount"
        if not tags & wanted:
            raise InvalidInput(
                f"path {point.source} is mounted on {where.target} but it is not {text}"
            )


def _kind(point: MountPoint) -> str:
    return point.propagation.removeprefix("r")


def _mount_of(path: str, mounts: list[mountinfo.MountPoint]) -> mountinfo.MountPoint:
    """The last mount on the longest target above the path."""
    above = [each for each in mounts if f"{path}/".startswith(f"{each.target.rstrip('/')}/")]
    return max(enumerate(above), key=lambda pair: (len(pair[1].target), pair[0]))[1]
