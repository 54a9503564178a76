"""Copy a tree by descriptors: owners, modes, times, xattrs, hard links, holes, devices.

Nothing of either tree is followed through a symbolic link or into a mount. Sockets are left out:
they mean nothing without the process that listens.
"""

import errno
import os
import stat

from wherry.linux.path import RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV, openat2
from wherry.linux.tree import Descent, open_directory

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_HANDLE = os.O_PATH | os.O_DIRECTORY
_RESOLVE = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV
_PIECE = 1 << 24
_NO_COPY_RANGE = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
_NO_XATTR = (errno.EOPNOTSUPP, errno.EPERM, errno.EACCES)

_Status = os.stat_result


def copy_tree(source_fd: int, target_fd: int) -> int:
    """Copy a directory's content and its own metadata into an existing directory.

    Returns the count of files and directories copied. Raises OSError (FileExistsError where the
    target already has one of the names and it is not a directory on both sides).
    """
    return _Copy(source_fd, target_fd).run()


class _Copy:
    __slots__ = ("_count", "_links", "_path", "_source", "_target", "_target_fd")

    def __init__(self, source_fd: int, target_fd: int) -> None:
        self._target_fd = target_fd
        self._source = Descent(open_directory(source_fd, "."))
        try:
            self._target = Descent(open_directory(target_fd, "."))
        except BaseException:
            self._source.close()
            raise
        self._links: dict[tuple[int, int], str] = {}
        self._path: list[str] = []
        self._count = 0

    def run(self) -> int:
        """Directory by directory; a directory's metadata comes after its content."""
        try:
            pending = self._files()
            above: list[list[str]] = []
            while True:
                if pending:
                    name = pending.pop()
                    self._source.down(name)
                    self._target.down(name)
                    self._path.append(name)
                    above.append(pending)
                    pending = self._files()
                    continue
                copy_metadata(self._source.fd, self._target.fd)
                if not above:
                    return self._count
                pending = above.pop()
                self._source.up()
                self._target.up()
                self._path.pop()
        finally:
            self._source.close()
            self._target.close()

    def _files(self) -> list[str]:
        """Copy all that is no directory, make the directories, return their names."""
        folders = []
        with os.scandir(self._source.fd) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    self._make_directory(entry.name)
                    folders.append(entry.name)
                elif not stat.S_ISSOCK(status.st_mode):
                    self._file(entry.name, status)
                self._count += 1
        return folders

    def _make_directory(self, name: str) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=self._target.fd)
        except FileExistsError:
            os.close(open_directory(self._target.fd, name))  # anything else is an error

    def _file(self, name: str, status: _Status) -> None:
        identity = (status.st_dev, status.st_ino)
        first = self._links.get(identity) if status.st_nlink > 1 else None
        if first is not None and self._link(first, name):
            return
        if stat.S_ISREG(status.st_mode):
            _copy_regular(self._source.fd, self._target.fd, name, status)
        else:
            _copy_special(self._source.fd, self._target.fd, name, status)
        if status.st_nlink > 1:
            self._links[identity] = "/".join((*self._path, name))

    def _link(self, first: str, name: str) -> bool:
        """Link to the copy made before; False where its path is too long to be opened again."""
        folder, _, base = first.rpartition("/")
        try:
            parent = openat2(self._target_fd, folder or ".", _HANDLE, 0, _RESOLVE)
        except OSError as error:
            if error.errno not in (errno.ENAMETOOLONG, errno.ENOSYS):
                raise
            return False
        try:
            os.link(
                base, name, src_dir_fd=parent, dst_dir_fd=self._target.fd, follow_symlinks=False
            )
        finally:
            os.close(parent)
        return True


def _copy_regular(source_fd: int, target_fd: int, name: str, status: _Status) -> None:
    reading = os.open(name, _READ, dir_fd=source_fd)
    try:
        writing = os.open(name, _NEW, 0o600, dir_fd=target_fd)
        try:
            copy_data(reading, writing, status)
            copy_metadata(reading, writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _copy_special(source_fd: int, target_fd: int, name: str, status: _Status) -> None:
    """A symbolic link, device or fifo."""
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(name, dir_fd=source_fd), name, dir_fd=target_fd)
    else:
        os.mknod(name, status.st_mode, status.st_rdev, dir_fd=target_fd)
    os.chown(name, status.st_uid, status.st_gid, dir_fd=target_fd, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        node = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=target_fd)
        try:
            os.chmod(f"/proc/self/fd/{node}", stat.S_IMODE(status.st_mode))
        finally:
            os.close(node)
    times = (status.st_atime_ns, status.st_mtime_ns)
    os.utime(name, ns=times, dir_fd=target_fd, follow_symlinks=False)


def copy_metadata(source_fd: int, target_fd: int) -> None:
    """Owner, mode, xattrs, times of an open file or directory, in the order that keeps them."""
    status, present = os.fstat(source_fd), os.fstat(target_fd)
    if (status.st_uid, status.st_gid) != (present.st_uid, present.st_gid):
        os.fchown(target_fd, status.st_uid, status.st_gid)
    os.fchmod(target_fd, stat.S_IMODE(status.st_mode))
    for name in _xattr_names(source_fd):
        try:
            os.setxattr(target_fd, name, os.getxattr(source_fd, name))
        except OSError as error:
            if error.errno not in (*_NO_XATTR, errno.ENODATA):
                raise
    os.utime(target_fd, ns=(status.st_atime_ns, status.st_mtime_ns))


def _xattr_names(descriptor: int) -> list[str]:
    try:
        return os.listxattr(descriptor)
    except OSError as error:
        if error.errno not in _NO_XATTR:
            raise
        return []


def copy_data(reading: int, writing: int, status: _Status) -> None:
    """The content of a regular file; holes stay holes, extents are shared where they can be."""
    if status.st_blocks * 512 >= status.st_size:
        _copy_range(reading, writing, 0, status.st_size)
        return
    end = 0
    while True:
        try:
            start = os.lseek(reading, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break  # only a hole is left
        end = os.lseek(reading, start, os.SEEK_HOLE)
        _copy_range(reading, writing, start, end - start)
    os.ftruncate(writing, status.st_size)


def _copy_range(reading: int, writing: int, offset: int, count: int) -> None:
    stop = offset + count
    while offset < stop:
        try:
            done = os.copy_file_range(reading, writing, min(stop - offset, _PIECE), offset, offset)
        except OSError as error:
            if error.errno not in _NO_COPY_RANGE:
                raise
            done = os.pwrite(
                writing, os.pread(reading, min(stop - offset, 1 << 20), offset), offset
            )
        if done == 0:
            return  # the file became shorter meanwhile
        offset += done
