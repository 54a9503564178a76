"""Compressed streams: found out by their first bytes, inflated with bounded memory.

Sources: RFC 1952 (gzip), RFC 8878 (zstd), the formats' magic numbers as in `file(1)`.
"""

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from wherry.kit.errors import Corrupt, WherryError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_igzip: Any = None
_isal: Any = None
try:
    from isal import igzip_lib as _igzip
    from isal import isal_zlib as _isal
except ImportError:  # no wheel for this processor: the standard library's zlib does the work
    _isal = None

PIECE = 1 << 20
"""Largest piece of plain bytes that is handed on at once."""
_READ = 128 << 10
_MEMORY = 256 << 20  # what xz may ask for; `xz -9` needs 65 MiB
_ZSTD_WINDOW = 27  # 128 MiB, the limit of the zstd program

MAGIC = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
)
MAGIC_BYTES = 6


Fault = Callable[[str], WherryError]
"""Makes the error for broken data: whose fault that is depends on where the stream came from."""


class Readable(Protocol):
    """Anything with a file's `read`."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, none at the end."""
        ...


class Decoder(Protocol):
    """The shape that bz2, lzma and zstd decoders share."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class ZlibDecoder:
    """The standard library's gzip decoder in that shape."""

    __slots__ = ("_inflate", "_tail")

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)
        self._tail = b""

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        """Whether nothing is left of what was passed in."""
        return not self._tail

    @property
    def unused_data(self) -> bytes:
        """What follows the member."""
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int = 0) -> bytes:
        """At most `max_length` bytes more."""
        plain = self._inflate.decompress(self._tail + data, max_length)
        self._tail = self._inflate.unconsumed_tail
        return plain


def _gzip() -> Decoder:
    if _igzip is None:
        return ZlibDecoder()
    decoder: Decoder = _igzip.IgzipDecompressor(flag=_igzip.DECOMP_GZIP)
    return decoder


def _zstd() -> Decoder:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW})


_DECODERS: dict[str, Callable[[], Decoder]] = {
    "gzip": _gzip,
    "zstd": _zstd,
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY),
}
_FAULTS: tuple[type[Exception], ...] = (
    zlib.error,
    lzma.LZMAError,
    zstd.ZstdError,
    OSError,
    EOFError,
    ValueError,
    *([_igzip.IsalError] if _igzip is not None else []),
)


def detect(head: bytes) -> str:
    """`gzip`, `zstd`, `bzip2`, `xz`, or `none`, from at least MAGIC_BYTES bytes."""
    for magic, kind in MAGIC:
        if head.startswith(magic):
            return kind
    return "none"


def read_pieces(stream: Readable, size: int = _READ) -> Iterator[bytes]:
    """The stream's bytes as they come; the first piece has MAGIC_BYTES or is all there is."""
    head = stream.read(size)
    while head and len(head) < MAGIC_BYTES:
        more = stream.read(size)
        if not more:
            break
        head += more
    while head:
        yield head
        head = stream.read(size)


def plain_pieces(pieces: Iterator[bytes], fault: Fault = Corrupt) -> Iterator[bytes]:
    """Inflate if the first piece shows a known compression. Raises `fault`."""
    first = next(pieces, b"")
    kind = detect(first)
    if kind == "none":
        if first:
            yield first
        yield from pieces
        return
    yield from _inflate(kind, first, pieces, fault)


def _inflate(kind: str, data: bytes, pieces: Iterator[bytes], fault: Fault) -> Iterator[bytes]:
    """All members (frames) one after the other; zero padding after the last one is ignored."""
    decoder: Decoder | None = None
    while True:
        if decoder is None:
            decoder, data = _DECODERS[kind](), data
        plain = _decode(kind, decoder, data, fault)
        if plain:
            yield plain
        if decoder.eof:
            data = _next_member(kind, decoder.unused_data, pieces, fault)
            if not data:
                return
            decoder = None
            continue
        data = b""
        if decoder.needs_input:
            data = next(pieces, b"")
            if not data:
                raise fault(f"the {kind} stream ends early")


def _decode(kind: str, decoder: Decoder, data: bytes, fault: Fault) -> bytes:
    try:
        return decoder.decompress(data, PIECE)
    except _FAULTS as error:
        raise fault(f"broken {kind} stream: {error}") from error


def _next_member(kind: str, rest: bytes, pieces: Iterator[bytes], fault: Fault) -> bytes:
    while True:
        rest = rest.lstrip(b"\0")
        if len(rest) >= MAGIC_BYTES:
            break
        more = next(pieces, b"")
        if not more:
            break
        rest += more
    if rest and detect(rest) != kind and not _is_skippable(kind, rest):
        raise fault(f"the {kind} stream is followed by something else")
    return rest


def _is_skippable(kind: str, rest: bytes) -> bool:
    """A zstd skippable frame (RFC 8878, section 3.1.2)."""
    return kind == "zstd" and rest[1:4] == b"\x2a\x4d\x18" and rest[0] & 0xF0 == 0x50


def gzip_encoder(level: int = 1) -> Any:
    """A gzip compressor object (`compress`, `flush`), isal's where there is one."""
    if _isal is not None:
        return _isal.compressobj(level, _isal.DEFLATED, 31)
    return zlib.compressobj(level, zlib.DEFLATED, 31)
