"""Room on the disk that is kept for the ledger.

Without it a full disk could not be emptied: to remove a container is a change of the ledger, too.
"""

import contextlib
import errno
import os

SIZE = 1 << 20
"""Bytes: some hundred commits, until what was removed has made room."""


class Reserve:
    """A file of nothing beside the ledger, given back to the file system in need."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.kept = os.path.exists(path)

    def keep(self) -> None:
        """Allocate it, where there is room; without room there is none."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path, flags, 0o600)
        except OSError:
            return  # a disk that is full or read-only: the ledger itself will say so
        try:
            os.posix_fallocate(descriptor, 0, SIZE)
            self.kept = True
        except OSError as error:
            self._unlink()
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EOPNOTSUPP, errno.EINVAL):
                raise
        finally:
            os.close(descriptor)

    def release(self) -> bool:
        """Give the room back; whether there was any."""
        had, self.kept = self.kept, False
        self._unlink()
        return had

    def _unlink(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
