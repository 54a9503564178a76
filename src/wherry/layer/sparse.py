"""Files with holes as tar members (GNU tar manual, "Sparse Formats", PAX 0.1).

Version 0.1, since the member keeps its own name in it, and every reader of pax headers that knows
sparse files at all knows it.
"""

import errno
import os

from wherry.layer.pax import Segments

_MOST = 10_000
"""Segments in a header; a file in more pieces goes without a map."""


def segments(descriptor: int, status: os.stat_result) -> Segments | None:
    """Where the data of an open file is; None where a map is not worth it, or cannot be had."""
    if status.st_blocks * 512 >= status.st_size:
        return None
    found: list[tuple[int, int]] = []
    at = 0
    try:
        while at < status.st_size and len(found) <= _MOST:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
            at = min(os.lseek(descriptor, start, os.SEEK_HOLE), status.st_size)
            if start < at:
                found.append((start, at - start))
    except OSError as error:
        if error.errno != errno.ENXIO:  # ENXIO: nothing but a hole until the end
            return None
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)
    return tuple(found) if len(found) <= _MOST else None


def records(found: Segments, size: int) -> dict[str, bytes]:
    """The extended header of a sparse member; its data are the segments one after the other."""
    pieces = found or ((size, 0),)
    text = ",".join(f"{offset},{length}" for offset, length in pieces)
    return {
        "GNU.sparse.map": text.encode(),
        "GNU.sparse.numblocks": str(len(pieces)).encode(),
        "GNU.sparse.size": str(size).encode(),
    }
