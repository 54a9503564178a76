"""tmpcopyup: fill a new tmpfs with what the directory under it holds."""

import os
import stat

_CHUNK = 1 << 20


def copy_tree(source_fd: int, target_fd: int) -> None:
    """Copy a directory's contents with modes, owners, links and times; never follows a link.

    Device nodes, sockets and fifos are made anew. Raises OSError naming the entry.
    """
    for name in os.listdir(source_fd):
        status = os.stat(name, dir_fd=source_fd, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            _copy_directory(source_fd, target_fd, name, status)
            continue
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=source_fd), name, dir_fd=target_fd)
        elif stat.S_ISREG(status.st_mode):
            _copy_file(source_fd, target_fd, name)
        else:
            os.mknod(name, status.st_mode, status.st_rdev, dir_fd=target_fd)
        _copy_attributes(target_fd, name, status)


def _copy_directory(source_fd: int, target_fd: int, name: str, status: os.stat_result) -> None:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    os.mkdir(name, 0o700, dir_fd=target_fd)
    source = os.open(name, flags, dir_fd=source_fd)
    try:
        target = os.open(name, flags, dir_fd=target_fd)
        try:
            copy_tree(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)
    _copy_attributes(target_fd, name, status)


def _copy_file(source_fd: int, target_fd: int, name: str) -> None:
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    source = os.open(name, os.O_RDONLY | flags, dir_fd=source_fd)
    try:
        target = os.open(
            name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | flags, 0o600, dir_fd=target_fd
        )
        try:
            while os.sendfile(target, source, None, _CHUNK):
                pass
        finally:
            os.close(target)
    finally:
        os.close(source)


def _copy_attributes(directory_fd: int, name: str, status: os.stat_result) -> None:
    os.chown(name, status.st_uid, status.st_gid, dir_fd=directory_fd, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=directory_fd)
    times = (status.st_atime_ns, status.st_mtime_ns)
    os.utime(name, ns=times, dir_fd=directory_fd, follow_symlinks=False)
