"""Small questions to the snapshotter that several use cases ask. Blocking."""

import contextlib

from wherry.kit.errors import NotFound
from wherry.snapshot.snapshotter import Snapshotter


def exists(snapshots: Snapshotter, name: str) -> bool:
    """Whether there is a snapshot of that name or key."""
    try:
        snapshots.stat(name)
    except NotFound:
        return False
    return True


def discard(snapshots: Snapshotter, key: str) -> None:
    """Remove a snapshot, or nothing."""
    with contextlib.suppress(NotFound):
        snapshots.remove(key)


def driver_name(snapshots: Snapshotter) -> str:
    """What `docker info` calls the storage driver."""
    return "copy" if snapshots.style == "copy" else "overlay"
