"""Mounts: detached mounts on descriptors (kernel 5.2), attributes (5.12), mount(2) as fallback.

The safe order for a target inside a foreign root: make the mount detached (`create`,
`clone_tree`), set its attributes, resolve the target to a descriptor, `move` it there.
"""

import ctypes
import errno
import os
from collections.abc import Sequence
from typing import NamedTuple

from wherry.linux.libc import check, encode, is_missing, libc, syscall

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_SYNCHRONOUS = 0x10
MS_REMOUNT = 0x20
MS_MANDLOCK = 0x40
MS_DIRSYNC = 0x80
MS_NOSYMFOLLOW = 0x100
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_SILENT = 0x8000
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MS_RELATIME = 1 << 21
MS_I_VERSION = 1 << 23
MS_STRICTATIME = 1 << 24
MS_LAZYTIME = 1 << 25

MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
AT_SYMLINK_NOFOLLOW = 0x100
OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 0x04
MOVE_MOUNT_T_EMPTY_PATH = 0x40
FSOPEN_CLOEXEC = 1
FSMOUNT_CLOEXEC = 1
FSPICK_CLOEXEC = 1
FSPICK_EMPTY_PATH = 8
FSCONFIG_SET_FLAG = 0
FSCONFIG_SET_STRING = 1
FSCONFIG_CMD_CREATE = 6
FSCONFIG_CMD_RECONFIGURE = 7

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR__ATIME = 0x70
MOUNT_ATTR_RELATIME = 0x0
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_STRICTATIME = 0x20
MOUNT_ATTR_NODIRATIME = 0x80
MOUNT_ATTR_IDMAP = 0x100000
MOUNT_ATTR_NOSYMFOLLOW = 0x200000

_LONGEST_VALUE = 255  # of one fsconfig(2) string

PROC_SUPER_MAGIC = 0x9FA0
SYSFS_MAGIC = 0x62656572
TMPFS_MAGIC = 0x01021994
DEVPTS_SUPER_MAGIC = 0x1CD1
CGROUP_SUPER_MAGIC = 0x27E0EB
CGROUP2_SUPER_MAGIC = 0x63677270

# option word → (attributes to set, attributes to clear)
ATTRIBUTES: dict[str, tuple[int, int]] = {
    "ro": (MOUNT_ATTR_RDONLY, 0),
    "rw": (0, MOUNT_ATTR_RDONLY),
    "nosuid": (MOUNT_ATTR_NOSUID, 0),
    "suid": (0, MOUNT_ATTR_NOSUID),
    "nodev": (MOUNT_ATTR_NODEV, 0),
    "dev": (0, MOUNT_ATTR_NODEV),
    "noexec": (MOUNT_ATTR_NOEXEC, 0),
    "exec": (0, MOUNT_ATTR_NOEXEC),
    "noatime": (MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME),
    "atime": (0, MOUNT_ATTR_NOATIME),
    "relatime": (MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME),
    "norelatime": (0, 0),
    "strictatime": (MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME),
    "nostrictatime": (0, MOUNT_ATTR_STRICTATIME),
    "nodiratime": (MOUNT_ATTR_NODIRATIME, 0),
    "diratime": (0, MOUNT_ATTR_NODIRATIME),
    "nosymfollow": (MOUNT_ATTR_NOSYMFOLLOW, 0),
    "symfollow": (0, MOUNT_ATTR_NOSYMFOLLOW),
}
"""Attributes of one mount; `remount` and superblock options are not here."""

_STATVFS_FLAGS = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME
"""What statvfs(3) tells of a mount has the values of mount(2)'s flags."""

_LEGACY = (
    (MOUNT_ATTR_RDONLY, MS_RDONLY),
    (MOUNT_ATTR_NOSUID, MS_NOSUID),
    (MOUNT_ATTR_NODEV, MS_NODEV),
    (MOUNT_ATTR_NOEXEC, MS_NOEXEC),
    (MOUNT_ATTR_NOATIME, MS_NOATIME),
    (MOUNT_ATTR_STRICTATIME, MS_STRICTATIME),
    (MOUNT_ATTR_NODIRATIME, MS_NODIRATIME),
    (MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW),
)


class Mount(NamedTuple):
    """What to mount, without where. `fstype` `bind` (and option `rbind`) clones `source`."""

    fstype: str
    source: str
    options: tuple[str, ...] = ()


class Attributes(NamedTuple):
    """Attributes to set and to clear on a mount (mount_setattr(2))."""

    set: int = 0
    clear: int = 0

    def merged(self, other: tuple[int, int]) -> "Attributes":
        """These, with the other's taking precedence."""
        return Attributes(self.set & ~other[1] | other[0], self.clear & ~other[0] | other[1])


def mount(source: str | None, target: str, fstype: str | None, flags: int, data: str = "") -> None:
    """mount(2). Raises OSError naming the target."""
    result = libc.mount(
        encode(source), encode(target), encode(fstype), ctypes.c_ulong(flags), encode(data or None)
    )
    check(result, f"mount {fstype or 'flags ' + hex(flags)} {source or ''}".strip(), target)


def umount2(target: str, flags: int = 0) -> None:
    """umount2(2). Raises OSError naming the target."""
    check(libc.umount2(encode(target), ctypes.c_int(flags)), "umount", target)


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2); `.`, `.` stacks the old root on the new one (its manual page, NOTES)."""
    syscall("pivot_root", encode(new_root), encode(put_old), path=new_root)


def open_tree(directory_fd: int, path: str, flags: int = 0) -> int:
    """open_tree(2), close-on-exec. With OPEN_TREE_CLONE: a detached copy of the mount."""
    if not path:
        flags |= AT_EMPTY_PATH
    name = path or f"descriptor {directory_fd}"
    return syscall("open_tree", directory_fd, encode(path), flags | OPEN_TREE_CLOEXEC, path=name)


def clone_tree(directory_fd: int, path: str, *, recursive: bool) -> int:
    """A detached copy of what is mounted at the path: the bind mount of the new calls."""
    return open_tree(directory_fd, path, OPEN_TREE_CLONE | (AT_RECURSIVE if recursive else 0))


def move_mount(from_fd: int, from_path: str, to_fd: int, to_path: str) -> None:
    """move_mount(2); an empty path stands for the descriptor itself."""
    flags = 0 if from_path else MOVE_MOUNT_F_EMPTY_PATH
    flags |= 0 if to_path else MOVE_MOUNT_T_EMPTY_PATH
    syscall(
        "move_mount",
        from_fd,
        encode(from_path),
        to_fd,
        encode(to_path),
        flags,
        path=to_path or None,
    )


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def mount_setattr(
    mount_fd: int,
    attributes: Attributes,
    *,
    propagation: int = 0,
    recursive: bool = False,
    userns_fd: int = 0,
) -> None:
    """Change a mount that a descriptor is on (kernel 5.12). Raises OSError."""
    request = _MountAttr(attributes.set, attributes.clear, propagation, userns_fd)
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    syscall("mount_setattr", mount_fd, b"", flags, ctypes.byref(request), ctypes.sizeof(request))


class Change(NamedTuple):
    """Something to set on a mount: attributes, a propagation (MS_SHARED, …), or both."""

    attributes: Attributes = Attributes()
    propagation: int = 0
    recursive: bool = False


def apply_change(mount_fd: int, change: Change) -> None:
    """Carry out a change on an attached mount, without mount_setattr(2) by mount(2).

    The latter needs /proc. Raises OSError; ENOSYS where only the new call could do it.
    """
    try:
        mount_setattr(
            mount_fd,
            change.attributes,
            propagation=change.propagation,
            recursive=change.recursive,
        )
    except OSError as error:
        if not is_missing(error) or (change.recursive and change.attributes != Attributes()):
            raise
        _change_by_mount(mount_fd, change)


def _change_by_mount(mount_fd: int, change: Change) -> None:
    path = f"/proc/self/fd/{mount_fd}"
    if change.attributes != Attributes():
        kept = (
            os.fstatvfs(mount_fd).f_flag & _STATVFS_FLAGS & ~legacy_flags(change.attributes.clear)
        )
        flags = MS_REMOUNT | MS_BIND | kept | legacy_flags(change.attributes.set)
        mount(None, path, None, flags)
    if change.propagation:
        mount(None, path, None, change.propagation | (MS_REC if change.recursive else 0))


def move_changed(tree: int, target_fd: int, changes: Sequence[Change] = ()) -> None:
    """Move a detached mount to a descriptor's place with changes made.

    They are made before the move, so that the mount is never seen without them; before kernel
    5.12 that is not possible and they are made after it. Raises OSError.
    """
    later: Sequence[Change] = ()
    for index, change in enumerate(changes):
        try:
            mount_setattr(
                tree,
                change.attributes,
                propagation=change.propagation,
                recursive=change.recursive,
            )
        except OSError as error:
            if not is_missing(error):
                raise
            later = changes[index:]
            break
    move_mount(tree, "", target_fd, "")
    for change in later:
        apply_change(tree, change)


def legacy_flags(attributes: int) -> int:
    """MOUNT_ATTR_* as MS_* flags, for mount(2) on old kernels."""
    flags = 0
    for new, old in _LEGACY:
        flags |= old if attributes & new else 0
    return flags


def create(fstype: str, source: str, options: tuple[str, ...], attributes: int = 0) -> int:
    """A detached mount of a new (or shared) superblock: a descriptor on its root.

    `options` are the file system's own words (`size=64m`, `lowerdir=…`) and the superblock's
    `ro`. Raises OSError with the kernel's explanation where it gives one.
    """
    if any(len(option.partition("=")[2]) > _LONGEST_VALUE for option in options):
        return _create_long(fstype, source, options, attributes)
    context = syscall("fsopen", encode(fstype), FSOPEN_CLOEXEC, path=fstype)
    try:
        try:
            if source:
                _configure(context, FSCONFIG_SET_STRING, "source", source)
            for option in options:
                key, equals, value = option.partition("=")
                kind = FSCONFIG_SET_STRING if equals else FSCONFIG_SET_FLAG
                _configure(context, kind, key, value if equals else None)
            _configure(context, FSCONFIG_CMD_CREATE, None, None)
            return syscall("fsmount", context, FSMOUNT_CLOEXEC, attributes, path=fstype)
        except OSError as error:
            raise _explained(error, context, fstype, options) from error
    finally:
        os.close(context)


def _create_long(fstype: str, source: str, options: tuple[str, ...], attributes: int) -> int:
    """The same by mount(2), whose options may fill a page: many lower directories before 6.7.

    The mount is on a scratch directory for a moment. Directories with a common beginning are
    named through a descriptor on it, for a page has room for few long paths.
    """
    scratch = f"{os.environ.get('TMPDIR', '/tmp')}/mount-{os.urandom(8).hex()}"
    common = _common_folder(options)
    descriptor = os.open(common, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    os.mkdir(scratch, 0o700)
    try:
        short = ",".join(options).replace(common, f"/proc/self/fd/{descriptor}")
        mount(source, scratch, fstype, legacy_flags(attributes), short)
        try:
            return clone_tree(AT_FDCWD, scratch, recursive=False)
        finally:
            umount2(scratch, MNT_DETACH)
    finally:
        os.close(descriptor)
        os.rmdir(scratch)


def _common_folder(options: tuple[str, ...]) -> str:
    """The directory in which all directories of `lowerdir=a:b`, `upperdir=…` are."""
    values = [option.partition("=")[2] for option in options if "dir=/" in option]
    paths = [path for value in values for path in value.replace("\\:", "\0").split(":")]
    common, escaped, _ = os.path.commonpath(paths).partition("\0")
    return (common.rpartition("/")[0] if escaped else common) or "/"


def _configure(context: int, command: int, key: str | None, value: str | None) -> None:
    syscall("fsconfig", context, command, encode(key), encode(value), 0, path=key)


def _explained(error: OSError, context: int, fstype: str, options: tuple[str, ...]) -> OSError:
    """The error with what the kernel wrote into the context's log (fsopen(2))."""
    if is_missing(error):
        return error
    lines = []
    try:
        while line := os.read(context, 4096):
            lines.append(line.decode(errors="replace").strip()[2:])
    except OSError as end:
        if end.errno not in (errno.ENODATA, errno.EINVAL):
            raise
    detail = "; ".join(lines) or os.strerror(error.errno or 0)
    return OSError(error.errno, f"mount {fstype} ({','.join(options)[:200]}): {detail}")


def split_options(options: tuple[str, ...]) -> tuple[Attributes, tuple[str, ...]]:
    """Separate the mount's attributes from the file system's own options."""
    attributes, rest = Attributes(), []
    for option in options:
        word = ATTRIBUTES.get(option)
        if word is not None:
            attributes = attributes.merged(word)
        elif option not in ("bind", "rbind", "defaults"):
            rest.append(option)
    return attributes, tuple(rest)


def detached(what: Mount) -> int:
    """A descriptor on the detached mount that a Mount describes. Raises OSError."""
    attributes, rest = split_options(what.options)
    if what.fstype in ("bind", "rbind") or "bind" in what.options or "rbind" in what.options:
        recursive = what.fstype == "rbind" or "rbind" in what.options
        tree = clone_tree(AT_FDCWD, what.source, recursive=recursive)
        try:
            if attributes.set or attributes.clear:
                mount_setattr(tree, attributes)
        except BaseException:
            os.close(tree)
            raise
        return tree
    return create(what.fstype, what.source, rest, attributes.set)


def attach(what: Mount, target: str) -> None:
    """Mount at a path (of ours: it is resolved as usual). Raises OSError naming the target."""
    try:
        tree = detached(what)
    except OSError as error:
        if not is_missing(error):
            raise
        _attach_by_mount(what, target)
        return
    try:
        move_mount(tree, "", AT_FDCWD, target)
    finally:
        os.close(tree)


def _attach_by_mount(what: Mount, target: str) -> None:
    attributes, rest = split_options(what.options)
    flags = legacy_flags(attributes.set)
    if what.fstype in ("bind", "rbind") or "bind" in what.options or "rbind" in what.options:
        recursive = what.fstype == "rbind" or "rbind" in what.options
        mount(what.source, target, None, MS_BIND | (MS_REC if recursive else 0))
        if flags:
            mount(None, target, None, MS_BIND | MS_REMOUNT | flags)
        return
    mount(what.source, target, what.fstype, flags, ",".join(rest))


class _StatFs(ctypes.Structure):
    _fields_ = (
        ("f_type", ctypes.c_long),
        ("f_bsize", ctypes.c_long),
        ("f_blocks", ctypes.c_ulong),
        ("f_bfree", ctypes.c_ulong),
        ("f_bavail", ctypes.c_ulong),
        ("f_files", ctypes.c_ulong),
        ("f_ffree", ctypes.c_ulong),
        ("f_fsid", ctypes.c_int * 2),
        ("f_namelen", ctypes.c_long),
        ("f_frsize", ctypes.c_long),
        ("f_flags", ctypes.c_long),
        ("f_spare", ctypes.c_long * 4),
    )


def filesystem_type(descriptor: int) -> int:
    """The magic number of the file system that a descriptor (O_PATH too) is on (statfs(2))."""
    buffer = _StatFs()
    check(libc.fstatfs(descriptor, ctypes.byref(buffer)), "fstatfs", f"descriptor {descriptor}")
    return int(buffer.f_type) & 0xFFFFFFFF
