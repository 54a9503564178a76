"""Putting a detached mount at a place inside the root: found by descriptor, checked, moved.

The container may own what lies around the target (a shared volume, a crafted image), so the way
there is resolved inside the root, and the place itself is checked on the descriptor that the
mount is then moved to.
"""

import os
import stat
from collections.abc import Sequence

from wherry.linux import mount
from wherry.linux.mount import Change
from wherry.linux.path import (
    make_directories_in_root,
    open_in_root,
    open_without_links,
    path_of,
)
from wherry.runtime.errors import UnsafeContainer

_ALLOWED_IN_PROC = frozenset(
    "cpuinfo diskstats meminfo stat swaps uptime loadavg slabinfo net/dev sys/kernel/ns_last_pid "
    "sys/crypto/fips_enabled pressure".split()
)
"""Places below /proc that may be covered: files that programs like lxcfs stand in for."""


def place(
    root_fd: int,
    tree: int,
    destination: str,
    *,
    is_directory: bool,
    changes: Sequence[Change] = (),
) -> None:
    """Move a detached mount, with changes, to the destination, which is made where it is missing.

    Raises UnsafeContainer for a place inside procfs, OSError naming the destination.
    """
    target = open_target(root_fd, destination, is_directory=is_directory)
    try:
        check_not_in_proc(root_fd, target, destination)
        mount.move_changed(tree, target, changes)
    except OSError as error:
        raise OSError(error.errno, error.strerror, destination) from error
    finally:
        os.close(target)


def open_target(root_fd: int, destination: str, *, is_directory: bool) -> int:
    """A descriptor on the destination; a missing one becomes an empty directory or file."""
    if is_directory:
        return make_directories_in_root(root_fd, destination)
    try:
        return open_in_root(root_fd, destination, os.O_PATH)
    except FileNotFoundError:
        parent, _, _ = destination.rstrip("/").rpartition("/")
    os.close(make_directories_in_root(root_fd, parent or "/"))
    made = open_in_root(root_fd, destination, os.O_CREAT | os.O_RDONLY | os.O_NONBLOCK, 0o644)
    os.close(made)
    return open_in_root(root_fd, destination, os.O_PATH)


def check_not_in_proc(root_fd: int, target: int, destination: str) -> None:
    """Raises UnsafeContainer where the target lies in a procfs and is not a harmless file.

    A mount there could stand in for what security decisions read or write (CVE-2019-16884).
    """
    if mount.filesystem_type(target) != mount.PROC_SUPER_MAGIC:
        return
    inside = path_of(target).removeprefix(path_of(root_fd).rstrip("/")).strip("/")
    place_in_proc = inside.partition("/")[2] if inside.startswith("proc/") else None
    if place_in_proc not in _ALLOWED_IN_PROC:
        raise UnsafeContainer(f"mount {destination}: a mount inside /proc is not allowed")


def place_kernel_filesystem(
    root_fd: int, tree: int, destination: str, changes: Sequence[Change] = ()
) -> None:
    """Place procfs or sysfs: only on a real directory, reached without a symbolic link.

    Through a link, everything that later trusts `/proc` would look elsewhere (CVE-2019-19921).
    """
    target = open_ordinary_directory(root_fd, destination)
    try:
        mount.move_changed(tree, target, changes)
    finally:
        os.close(target)


def open_ordinary_directory(root_fd: int, destination: str) -> int:
    """A directory reached without links; made where it is missing. Raises UnsafeContainer."""
    flags = os.O_PATH | os.O_DIRECTORY
    try:
        return open_without_links(root_fd, destination, flags)
    except FileNotFoundError:
        os.close(make_directories_in_root(root_fd, destination))
    except OSError:
        pass  # a link or a file: said below
    try:
        return open_without_links(root_fd, destination, flags)
    except OSError as error:
        raise UnsafeContainer(
            f"mount {destination}: has to be an ordinary directory, not a link or a file"
        ) from error


def open_device(root_fd: int, path: str, flags: int, number: int) -> int:
    """Open a character device inside the root that has this device number.

    Raises UnsafeContainer where something else lies there.
    """
    descriptor = open_in_root(root_fd, path, os.O_PATH | os.O_NOFOLLOW)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISCHR(status.st_mode) or status.st_rdev != number:
            raise UnsafeContainer(f"{path} in the container is not the device it should be")
        opened = open_in_root(root_fd, path, flags | os.O_NOFOLLOW | os.O_NOCTTY)
    finally:
        os.close(descriptor)
    if os.fstat(opened).st_rdev != number:  # exchanged between the two
        os.close(opened)
        raise UnsafeContainer(f"{path} in the container changed under our hands")
    return opened
