"""A container's files as its processes see them: the root with its volumes and bind mounts in it.

A running container's are reached through its init. For a stopped one the tree is put together in
a mount namespace that lives for a moment, and copied out of it detached (open_tree(2)): again no
path leads to it, and the kernel takes it away with the last descriptor. Blocking.
"""

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from wherry.engine import rootfs
from wherry.engine.containers import volumes
from wherry.engine.containers.container import Container
from wherry.engine.engine import Engine
from wherry.engine.records import MountPoint
from wherry.linux import mount as mounts
from wherry.linux.namespace import CLONE_NEWNS, unshare
from wherry.linux.path import make_directories_in_root, open_in_root

_BASE = "/"
"""Where the tree is put together: on top of everything, in a namespace of its own."""


@contextlib.contextmanager
def opened(engine: Engine, container: Container) -> Iterator[int]:
    """The root directory, for calls relative to it. Raises OSError, Unavailable, NotFound."""
    parts = engine.snapshots.mounts(container.id)
    with rootfs.opened(parts, container.state.pid) as root:
        points = [point for point in container.record.mounts if point.type != "tmpfs"]
        if container.state.pid or not points:
            yield root
            return
        with volumes.mounted(engine, points, f"reading {container.id}"):
            whole = _assembled(root, points)
        try:
            yield whole
        finally:
            os.close(whole)


def _assembled(root: int, points: Sequence[MountPoint]) -> int:
    """In a thread of its own: the namespace ends with it."""
    with ThreadPoolExecutor(1, "tree") as thread:
        return thread.submit(_assemble, root, points).result()


def _assemble(root: int, points: Sequence[MountPoint]) -> int:
    unshare(CLONE_NEWNS)
    mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
    mounts.move_mount(root, "", mounts.AT_FDCWD, _BASE)
    for point in sorted(points, key=lambda point: point.destination.count("/")):
        _bind(root, point)
    return mounts.clone_tree(root, "", recursive=True)


def _bind(root: int, point: MountPoint) -> None:
    """A source that the next start would make is not there yet, and hides nothing."""
    try:
        source = _source(point)
    except FileNotFoundError:
        return
    try:
        target = _target(root, source, point.destination)
        try:
            ro = mounts.Attributes(0 if point.rw else mounts.MOUNT_ATTR_RDONLY)
            mounts.move_changed(source, target, [mounts.Change(ro)])
        finally:
            os.close(target)
    finally:
        os.close(source)


def _source(point: MountPoint) -> int:
    if not point.subpath:
        return mounts.clone_tree(mounts.AT_FDCWD, point.source, recursive=point.recursive)
    volume = os.open(point.source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = open_in_root(volume, point.subpath, os.O_PATH)
    finally:
        os.close(volume)
    try:
        return mounts.clone_tree(found, "", recursive=point.recursive)
    finally:
        os.close(found)


def _target(root: int, source: int, path: str) -> int:
    """The place of a mount, made where it is missing, as the start makes it."""
    if stat.S_ISDIR(os.fstat(source).st_mode):
        return make_directories_in_root(root, path)
    folder, _, _ = path.rpartition("/")
    os.close(make_directories_in_root(root, folder or "/"))
    os.close(open_in_root(root, path, os.O_CREAT | os.O_RDONLY, 0o755))
    return open_in_root(root, path, os.O_PATH)
