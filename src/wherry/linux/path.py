"""Paths from outside, resolved inside a root and on descriptors (openat2, kernel 5.6).

`open_in_root` treats the descriptor as `/` for absolute paths, `..` and symbolic links alike
(RESOLVE_IN_ROOT) and refuses /proc's magic links. Where openat2 is missing (ENOSYS) or a path
component is renamed under our hands (EAGAIN), the walk is done one component at a time with
O_NOFOLLOW; that is slower but follows the same rules.
"""

import ctypes
import errno
import os
import stat

from wherry.linux.libc import NUMBERS, libc

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

O_PATH = os.O_PATH
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
_MAX_LINKS = 40  # the kernel's own limit (path_resolution(7))
_RETRIES = 32
_LONGEST_PATH = 4095  # PATH_MAX without its NUL


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def openat2(directory_fd: int, path: str, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """The system call; O_CLOEXEC is always added. Raises OSError, ENOSYS before kernel 5.6."""
    wants_mode = flags & os.O_CREAT or flags & os.O_TMPFILE == os.O_TMPFILE
    how = _OpenHow(flags | os.O_CLOEXEC, mode if wants_mode else 0, resolve)
    for _ in range(_RETRIES):
        result: int = libc.syscall(
            ctypes.c_long(NUMBERS["openat2"]),
            ctypes.c_int(directory_fd),
            os.fsencode(path),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
        if result >= 0:
            return result
        number = ctypes.get_errno()
        if number != errno.EAGAIN:  # EAGAIN: a rename or mount raced with the walk
            break
    raise OSError(number, f"openat2: {os.strerror(number)}", path)


def open_in_root(root_fd: int, path: str, flags: int, mode: int = 0) -> int:
    """Open a path as if root_fd were `/`; never leaves it, never follows magic links.

    Raises OSError naming the path.
    """
    resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
    try:
        return openat2(root_fd, path, flags, mode, resolve)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EAGAIN):
            raise
    return _walk(root_fd, path, flags, mode)


def open_without_links(
    directory_fd: int, path: str, flags: int, *, same_filesystem: bool = False
) -> int:
    """Open a path below a directory on which no symbolic link lies, not even at its end.

    `same_filesystem` also refuses mounts on the way. Raises OSError: ELOOP, ENOTDIR, EXDEV.
    """
    resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | (RESOLVE_NO_XDEV if same_filesystem else 0)
    relative = path.lstrip("/") or "."
    try:
        return openat2(directory_fd, relative, flags, 0, resolve)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
    return _step(directory_fd, relative, flags, same_filesystem)


def _step(directory_fd: int, path: str, flags: int, same_filesystem: bool) -> int:
    """open_without_links one component at a time, for kernels before 5.6."""
    *parents, last = [piece for piece in path.split("/") if piece != ""]
    if ".." in (*parents, last):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
    device = os.fstat(directory_fd).st_dev
    current = os.dup(directory_fd)
    try:
        for piece in parents:
            following = _open_at(current, piece, _DIRECTORY, 0, path)
            os.close(current)
            current = following
        opened = _open_at(current, last, flags | os.O_NOFOLLOW, 0, path)
    finally:
        os.close(current)
    if same_filesystem and os.fstat(opened).st_dev != device:
        os.close(opened)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
    return opened


def make_directories_in_root(root_fd: int, path: str, mode: int = 0o755) -> int:
    """Make what is missing of a directory path inside the root; a descriptor on the last one.

    Existing symbolic links are followed inside the root. Raises OSError (ENOTDIR where a file
    stands in the way). `mode` is subject to the umask, as with mkdir(2).
    """
    flags = os.O_PATH | os.O_DIRECTORY
    try:
        return open_in_root(root_fd, path, flags)
    except FileNotFoundError:
        parent, _, piece = path.rstrip("/").rpartition("/")
    if not piece or len(path) > _LONGEST_PATH:  # the latter by links that grow as they are followed
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    parent_fd = make_directories_in_root(root_fd, parent or "/", mode)
    try:
        _make_last(root_fd, parent_fd, parent, piece, mode)
    finally:
        os.close(parent_fd)
    return open_in_root(root_fd, path, flags)


def _make_last(root_fd: int, parent_fd: int, parent: str, piece: str, mode: int) -> None:
    """Make the piece, or where it is a dangling link, what it points to."""
    if piece in (".", ".."):
        return
    try:
        os.mkdir(piece, mode, dir_fd=parent_fd)
    except FileExistsError:
        status = os.stat(piece, dir_fd=parent_fd, follow_symlinks=False)
        if not stat.S_ISLNK(status.st_mode):
            return  # an earlier piece was missing, or somebody else was faster
        target = os.readlink(piece, dir_fd=parent_fd)
        inside = target if target.startswith("/") else f"{parent}/{target}"
        if inside == f"{parent}/{piece}":
            raise  # a link onto itself
        os.close(make_directories_in_root(root_fd, inside, mode))


def path_of(descriptor: int) -> str:
    """The path that the kernel shows for a descriptor, for texts and checks by name."""
    return os.readlink(f"/proc/self/fd/{descriptor}")


def is_same_file(first_fd: int, second_fd: int) -> bool:
    """Whether two descriptors are on the same inode."""
    first, second = os.fstat(first_fd), os.fstat(second_fd)
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def _walk(root_fd: int, path: str, flags: int, mode: int) -> int:
    """RESOLVE_IN_ROOT by hand: a stack of descriptors, so that `..` never leaves the root."""
    stack = [os.dup(root_fd)]
    try:
        return _walk_pieces(stack, path, flags, mode)
    finally:
        for descriptor in stack:
            os.close(descriptor)


def _walk_pieces(stack: list[int], path: str, flags: int, mode: int) -> int:
    pending = [piece for piece in path.split("/") if piece not in ("", ".")]
    links = 0
    while pending:
        piece = pending.pop(0)
        if piece == "..":
            if len(stack) > 1:
                os.close(stack.pop())
            continue
        target = _read_link(stack[-1], piece)
        if target is not None and (pending or not flags & os.O_NOFOLLOW):
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if target.startswith("/"):
                while len(stack) > 1:
                    os.close(stack.pop())
            pending[:0] = [part for part in target.split("/") if part not in ("", ".")]
            continue
        if not pending:
            return _open_at(stack[-1], piece, flags | os.O_NOFOLLOW, mode, path)
        stack.append(
            _open_at(stack[-1], piece, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, 0, path)
        )
    return _open_at(stack[-1], ".", flags & ~(os.O_CREAT | os.O_EXCL), mode, path)


def _read_link(directory_fd: int, piece: str) -> str | None:
    """The target of a link, None where there is none; ELOOP on procfs's magic links."""
    try:
        status = os.stat(piece, dir_fd=directory_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISLNK(status.st_mode):
        return None
    target = os.readlink(piece, dir_fd=directory_fd)
    # procfs's magic links show size 0 (exe, ns/*) or 64 with the mode of the open file (fd/*);
    # its harmless `self` shows 0 as well and is refused here too
    if status.st_size == 0 or (status.st_size == 64 and status.st_mode & 0o777 != 0o777):
        raise OSError(errno.ELOOP, "magic link refused", piece)
    return target


def _open_at(directory_fd: int, piece: str, flags: int, mode: int, path: str) -> int:
    try:
        return os.open(piece, flags | os.O_CLOEXEC, mode, dir_fd=directory_fd)
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), path) from error
