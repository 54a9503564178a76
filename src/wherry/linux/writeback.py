"""Telling the kernel to begin writing a file's pages to the disk, without waiting for it.

The `fsync` at the end then finds most of the work done. Source: sync_file_range(2).
"""

import ctypes

_WRITE = 2  # SYNC_FILE_RANGE_WRITE
_libc = ctypes.CDLL(None, use_errno=True)  # unlike linux.libc: lets other threads run meanwhile


def begin(descriptor: int, offset: int, length: int) -> None:
    """Start writing `length` bytes from `offset`. A hint: a refusal is let be."""
    _libc.sync_file_range(
        descriptor, ctypes.c_int64(offset), ctypes.c_int64(length), ctypes.c_uint(_WRITE)
    )
