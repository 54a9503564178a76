"""A layer's tar stream becomes the files of one directory."""

import ctypes
import os
from collections.abc import Sequence
from typing import NamedTuple

from wherry.layer.extract import Extractor, Policy
from wherry.layer.intake import Intake
from wherry.layer.reader import TarReader
from wherry.layer.whiteout import Style, style
from wherry.oci.compression import Readable
from wherry.oci.digest import Digest

_SKIPPED_LISTED = 1000
_libc = ctypes.CDLL(None, use_errno=True)  # unlike linux.libc: lets other threads run meanwhile


class Applied(NamedTuple):
    """What was unpacked. Sizes in bytes; `digest` and `size` are of the stream as it was read.

    content_size: of the files and links' texts alone: what Docker calls a layer's size.
    compressed: whether the stream was; without, both digests are one.
    rooted: whether it has an entry for the root itself. forgotten: directories it has no entry for.
    skipped: what could not be had here and why, one line each, the first thousand of
    `skipped_count`.
    """

    diff_id: Digest
    diff_size: int
    entries: int
    digest: Digest
    size: int
    skipped: tuple[str, ...] = ()
    skipped_count: int = 0
    content_size: int = 0
    compressed: bool = False
    rooted: bool = False
    forgotten: int = 0

    def of(self, blob: Digest) -> "Applied":
        """The same, where the stream's digest was not made here but is this one."""
        return self._replace(digest=blob, diff_id=self.diff_id if self.compressed else blob)


def apply(
    stream: Readable,
    target: str,
    *,
    whiteouts: Style,
    owners: bool,
    lowers: Sequence[str] = (),
    known: bool = False,
) -> Applied:
    """Unpack a layer into a directory; both digests are made in the same pass.

    known: the digest of the stream is made elsewhere, and not here: see `Applied.of`.

    lowers: directories of the layers below, uppermost first: where the archive forgot a parent
    directory, its owner, mode and time are taken from there.
    The caller makes it durable by `sync`. Raises BrokenArchive (compression, format, members that
    leave the root), Unavailable (disk full), NotPermitted, OSError (reading the stream).
    """
    root_fd = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    policy = Policy(owners=owners, whiteouts=style(whiteouts), lowers=lowers)
    extractor = Extractor(root_fd, "", policy)
    try:
        with Intake(stream, known=known) as intake:
            extractor.unpack(TarReader(iter(intake)))
    finally:
        extractor.close()
        os.close(root_fd)
    skipped = extractor.skipped
    return Applied(
        intake.plain.digest,
        intake.plain.size,
        extractor.entries,
        intake.stored.digest,
        intake.stored.size,
        tuple(skipped[:_SKIPPED_LISTED]),
        len(skipped),
        extractor.content_size,
        intake.compressed,
        extractor.rooted,
        extractor.forgotten,
    )


def sync(path: str) -> None:
    """Make all of the file system that holds `path` durable (syncfs(2)). Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(descriptor) < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"syncfs: {os.strerror(number)}", path)
    finally:
        os.close(descriptor)
