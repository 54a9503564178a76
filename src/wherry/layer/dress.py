"""Owner, mode, extended attributes and times of an unpacked file, in the order that keeps them.

chown clears set-id bits and capabilities, so: owner, mode, xattrs, time.
"""

import errno
import os

from wherry.layer.reader import Entry

OWNER = "user.wherry.owner"
"""`uid:gid` as the archive has it, on files of a store that has one id only."""

_OURS = ("trusted.overlay.", "user.overlay.", OWNER)
_SPECIAL = 0o7000
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.EPERM, errno.EACCES)
_REFUSED = (*_UNSUPPORTED, errno.EINVAL, errno.ERANGE, errno.E2BIG, errno.ENOSPC)
"""ENOSPC too: on ext4 it says that a file's attributes do not fit into their block."""


class Dresser:
    """Applies an entry's metadata; what a file system or a plain user cannot have is noted."""

    __slots__ = ("_chown_to", "_doubtful", "_owners", "skipped")

    def __init__(self, owners: bool, chown_to: tuple[int, int] | None, skipped: list[str]) -> None:
        self._owners = owners
        self._chown_to = chown_to
        self._doubtful = _SPECIAL | umask()
        self.skipped = skipped

    def file(self, fd: int, entry: Entry) -> None:
        """A new file, opened for writing with `entry.mode` at creation."""
        owned = self._own(fd, entry)
        if entry.mode & self._doubtful or owned:
            os.fchmod(fd, entry.mode)
        if entry.xattrs:
            self._xattrs(fd, entry, True)
        os.utime(fd, ns=(entry.mtime, entry.mtime))

    def directory(self, fd: int, entry: Entry, existed: bool) -> None:
        """A directory; mode and times come last, by `finish_directory`."""
        self._own(fd, entry, existed)
        if entry.xattrs:
            self._xattrs(fd, entry, True)

    def finish_directory(self, fd: int, mode: int, mtime: int) -> None:
        """What writing into the directory would have changed or forbidden."""
        os.fchmod(fd, mode)
        os.utime(fd, ns=(mtime, mtime))

    def other(self, fd: int, base: str, entry: Entry, is_link: bool) -> None:
        """A symbolic link, device or fifo, by its name in a directory."""
        uid, gid = self.owner(entry)
        if self._owners and (uid or gid):
            os.chown(base, uid, gid, dir_fd=fd, follow_symlinks=False)
        path = f"/proc/self/fd/{fd}/{base}"
        if not is_link:
            _chmod_node(fd, base, entry.mode)
        if entry.xattrs:
            self._xattrs(path, entry, False)
        os.utime(base, ns=(entry.mtime, entry.mtime), dir_fd=fd, follow_symlinks=False)

    def owner(self, entry: Entry) -> tuple[int, int]:
        """Who shall own it."""
        return self._chown_to or (entry.uid, entry.gid)

    def _own(self, fd: int, entry: Entry, existed: bool = False) -> bool:
        uid, gid = self.owner(entry)
        if not (uid or gid or existed):
            return False
        if self._owners:
            os.fchown(fd, uid, gid)
            return True
        self._note_owner(fd, f"{uid}:{gid}" if uid or gid else None, entry)
        return False

    def _note_owner(self, fd: int, text: str | None, entry: Entry) -> None:
        try:
            if text is not None:
                os.setxattr(fd, OWNER, text.encode())
            else:
                os.removexattr(fd, OWNER)
        except OSError as error:
            if error.errno == errno.ENODATA:
                return
            if error.errno not in _UNSUPPORTED:
                raise
            self.skipped.append(f"{entry.name}: owner {text} (no user xattrs here)")

    def _xattrs(self, target: int | str, entry: Entry, follow: bool) -> None:
        for name, value in entry.xattrs:
            if name.startswith(_OURS):
                continue  # these would speak to overlayfs or to us in the store's name
            try:
                os.setxattr(target, name, value, follow_symlinks=follow)
            except OSError as error:
                if error.errno not in _REFUSED:
                    raise
                self.skipped.append(f"{entry.name}: xattr {name} ({error.strerror})")


def _chmod_node(fd: int, base: str, mode: int) -> None:
    """chmod of what must not be opened: through an O_PATH descriptor."""
    node = os.open(base, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        os.chmod(f"/proc/self/fd/{node}", mode)
    finally:
        os.close(node)


def umask() -> int:
    """The file mode mask, read without changing it (kernel 4.7; else: as if all were masked)."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o777
