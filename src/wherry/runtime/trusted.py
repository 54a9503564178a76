"""Files of the host that are opened before the container's files can get in the way.

A container may put anything at its own /proc and /dev. So the process that becomes the container
writes labels and sysctls through a descriptor on the host's procfs (CVE-2019-16884,
CVE-2025-52881) and masks with the host's null device (CVE-2025-31133), both checked to be what
they should be.
"""

import os
import stat
from typing import NamedTuple

from wherry.linux import mount
from wherry.linux.path import open_without_links
from wherry.runtime.errors import UnsafeContainer

_PROC_ROOT_INODE = 1
_NULL_DEVICE = os.makedev(1, 3)


class HostFiles(NamedTuple):
    """O_PATH descriptors on the host's /proc and /dev/null."""

    proc: int
    null: int

    def close(self) -> None:
        """Close both."""
        os.close(self.proc)
        os.close(self.null)


def open_host_files() -> HostFiles:
    """Open and check both. Raises UnsafeContainer, OSError."""
    proc = open_proc()
    null = os.open("/dev/null", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    check_null(null)
    return HostFiles(proc, null)


def open_proc() -> int:
    """The host's /proc alone. Raises UnsafeContainer, OSError."""
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    check_proc(proc)
    return proc


def check_proc(descriptor: int) -> None:
    """Raises UnsafeContainer unless the descriptor is on the root of a procfs."""
    is_proc = mount.filesystem_type(descriptor) == mount.PROC_SUPER_MAGIC
    if not is_proc or os.fstat(descriptor).st_ino != _PROC_ROOT_INODE:
        raise UnsafeContainer("/proc is not the root of a procfs")


def check_null(descriptor: int) -> None:
    """Raises UnsafeContainer unless the descriptor is on the null device."""
    status = os.fstat(descriptor)
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != _NULL_DEVICE:
        raise UnsafeContainer("/dev/null is not the null device")


def open_beneath_proc(proc_fd: int, path: str, flags: int) -> int:
    """Open a file of that very procfs: no link is followed, no mount on top entered."""
    return open_without_links(proc_fd, path, flags, same_filesystem=True)


def write_beneath_proc(proc_fd: int, path: str, text: str) -> None:
    """Write a file of that procfs in one call. Raises OSError naming the path."""
    descriptor = open_beneath_proc(proc_fd, path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"/proc/{path}") from error
    finally:
        os.close(descriptor)


def own_directory(proc_fd: int) -> str:
    """Our own directory's name in that procfs: our pid as its pid namespace counts."""
    return os.readlink("self", dir_fd=proc_fd)
