"""Compressed streams read as plain ones; the compression is told by its first bytes."""

import bz2
import gzip
import io
import lzma
import sys
import zlib
from typing import Final, Protocol

from wherry.kit.errors import Corrupt

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd
MAGIC_BYTES: Final = 6
_XZ_MEMORY: Final = 256 << 20
"""Bytes; `xz -9` needs 65 MiB. zstd has its own limit of 128 MiB, the others need little."""
_XZ_INPUT: Final = 128 << 10
_MAGIC: Final = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
)


class Readable(Protocol):
    """Anything with a file's `read`."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, none at the end."""
        ...


def compression_of(head: bytes) -> str:
    """`gzip`, `zstd`, `bzip2`, `xz`, or `` for anything else."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    return ""


class Inflated:
    """The plain bytes of a stream. `compression` says what was found."""

    def __init__(self, stream: Readable) -> None:
        """Reads the first few bytes to see what it is."""
        head = read_exactly(stream, MAGIC_BYTES)
        self.compression = compression_of(head)
        self._inner = _open(self.compression, io.BufferedReader(_Rejoined(head, stream), 1 << 18))

    def read(self, size: int = -1, /) -> bytes:
        """Raises Corrupt where the compressed data is broken or cut short."""
        try:
            return self._inner.read(size)
        except _BROKEN as error:
            raise Corrupt(f"broken {self.compression} data: {error}") from error
        except OSError as error:
            # bz2 says this with a bare OSError
            if error.errno is not None:
                raise
            raise Corrupt(f"broken {self.compression} data: {error}") from error


def read_exactly(stream: Readable, size: int) -> bytes:
    """`size` bytes, fewer only at the end."""
    parts = bytearray()
    while len(parts) < size and (data := stream.read(size - len(parts))):
        parts += data
    return bytes(parts)


def _open(compression: str, stream: io.BufferedReader) -> Readable:
    match compression:
        case "gzip":
            return _gzip(stream)
        case "zstd":
            return zstd.ZstdFile(stream)
        case "bzip2":
            return bz2.BZ2File(stream)
        case "xz":
            return _Xz(stream)
    return stream


def _gzip(stream: io.BufferedReader) -> Readable:
    try:
        from isal.igzip import IGzipFile
    except ImportError:  # no wheel for this machine: slower, otherwise the same
        return gzip.GzipFile(fileobj=stream)
    opened: Readable = IGzipFile(fileobj=stream)  # type: ignore[no-untyped-call]
    return opened


def _broken() -> tuple[type[Exception], ...]:
    """What the decompressors raise for bad data."""
    known = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error, zstd.ZstdError)
    try:
        from isal import isal_zlib
    except ImportError:
        return known
    failure: object = isal_zlib.error
    return (
        (*known, failure) if isinstance(failure, type) and issubclass(failure, Exception) else known
    )


_BROKEN = _broken()


class _Xz:
    """xz with a limit on memory, which the standard library's file object does not offer."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def read(self, size: int = -1, /) -> bytes:
        while not self._decoder.eof:
            data = self._stream.read1(_XZ_INPUT) if self._decoder.needs_input else b""
            if self._decoder.needs_input and not data:
                raise EOFError("compressed data ends early")
            plain = self._decoder.decompress(data, size)
            if plain:
                return plain
        return b""


class _Rejoined(io.RawIOBase):
    """The bytes that were looked at, then the rest of the stream."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data, self._head = self._head or self._rest.read(len(buffer)), b""
        data, self._head = data[: len(buffer)], data[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)
