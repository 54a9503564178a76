"""Compresses a rotated segment in a child process: `x.1` → `x.1.gz`, whole or not at all.

The child holds nothing of its parent's: a copy of a client's socket or of the container's stdin
would keep that open for as long as it works.
"""

import contextlib
import os
import signal
import struct
import zlib
from collections.abc import Callable

from wherry.linux.process import close_all_except
from wherry.monitor.jsonline import gzip_extra

_CHUNK = 1 << 18
_FEXTRA = 4


def start(path: str, last_stamp: int) -> int:
    """Fork the child; its pid. The caller reaps it."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        close_all_except([])
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        compress(path, last_stamp)
        status = 0
    finally:
        os._exit(status)


def compress(path: str, last_stamp: int) -> None:
    """Write the compressed form beside the segment, then remove it. Raises OSError."""
    temporary = f"{path}.gz.tmp"
    try:
        with open(path, "rb") as source, open(temporary, "wb") as target:
            os.fchmod(target.fileno(), 0o640)
            _copy(source.read, target.write, last_stamp)
        os.rename(temporary, f"{path}.gz")
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    os.unlink(path)


def _copy(read: Callable[[int], bytes], write: Callable[[bytes], object], last_stamp: int) -> None:
    """RFC 1952, with the time of the last line in the extra field as dockerd has it."""
    extra = gzip_extra(last_stamp)
    write(b"\x1f\x8b\x08" + bytes([_FEXTRA]) + bytes(4) + b"\x00\xff")
    write(struct.pack("<H", len(extra)) + extra)
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    checksum = size = 0
    while chunk := read(_CHUNK):
        checksum, size = zlib.crc32(chunk, checksum), size + len(chunk)
        write(deflate.compress(chunk))
    write(deflate.flush())
    write(struct.pack("<II", checksum, size & 0xFFFFFFFF))
