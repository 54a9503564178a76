"""What can be wrong with an archive, and how a failed system call on a member is told."""

import errno

from wherry.kit.errors import InvalidInput, NotPermitted, Unavailable, WherryError


class BrokenArchive(InvalidInput):
    """The stream is no valid archive, ends early, or names something outside of its root."""


class NotReplaceable(InvalidInput):
    """A directory would replace something else, or the reverse, where the caller forbade that."""


_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EPERM, errno.EACCES, errno.EROFS)
_MEMBER = (
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.ENOTDIR,
    errno.ENOENT,
    errno.EINVAL,
    errno.EFBIG,
    errno.EISDIR,
    errno.EEXIST,
    errno.EXDEV,
)


def of_member(error: OSError, name: str) -> WherryError | None:
    """The error to raise when a system call fails while `name` is unpacked; None: not its fault."""
    reason = f"cannot unpack {name[:300]!r}: {error.strerror}"
    if error.errno in _FULL:
        return Unavailable(f"{reason}; free some space on the file system of the image store")
    if error.errno in _FORBIDDEN:
        return NotPermitted(reason)
    if error.errno in _MEMBER:
        return BrokenArchive(reason)
    return None
