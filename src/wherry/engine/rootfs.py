"""A container's root file system as a descriptor, mounted nowhere.

A stopped container's snapshot is mounted detached (fsmount(2)): no path leads to it, and the
kernel takes it away with the last descriptor, also after kill -9. A running one is reached
through its init process. Blocking: for the `files` lane.
"""

import contextlib
import os
from collections.abc import Iterator

from wherry.kit.errors import Unavailable
from wherry.linux.mount import Mount, detached


@contextlib.contextmanager
def opened(mounts: tuple[Mount, ...], pid: int = 0) -> Iterator[int]:
    """The root directory, for calls relative to it. `pid` is the running init, 0 for none."""
    descriptor = _of_process(pid) if pid else _of_snapshot(mounts)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _of_process(pid: int) -> int:
    try:
        return os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Unavailable(f"process {pid} of the container has just ended") from None


def _of_snapshot(mounts: tuple[Mount, ...]) -> int:
    (mount,) = mounts  # every snapshotter of ours needs exactly one
    return detached(mount)
