"""Members of a tar that arrives once and cannot be seeked (POSIX pax, GNU and old headers).

Memory stays small whatever the archive holds: extended headers are limited, members are handed out
as streams. Only what image archives need is read: no owners, modes or times.
"""

from collections.abc import Iterator
from typing import Final

from wherry.image.errors import BadArchive
from wherry.image.inflate import read_exactly
from wherry.oci.compression import Readable

BLOCK: Final = 512
MAX_EXTENSION: Final = 1 << 20
_ZERO: Final = bytes(BLOCK)
_KINDS: Final = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"1": "hardlink",
    b"2": "symlink",
    b"3": "character device",
    b"4": "block device",
    b"5": "folder",
    b"6": "fifo",
    b"S": "sparse file",
}


class Member:
    """One entry; its bytes can be read until the next one is asked for."""

    def __init__(self, name: str, kind: str, size: int, target: str, stream: Readable) -> None:
        """`kind` is one of the words in `_KINDS`; `target` is set for links; `size` in bytes."""
        self.name, self.kind, self.size, self.target = name, kind, size, target
        self._stream, self._left = stream, size

    def read(self, size: int = -1, /) -> bytes:
        """Raises BadArchive where the archive ends inside the member."""
        wanted = self._left if size < 0 else min(size, self._left)
        if not wanted:
            return b""
        data = self._stream.read(wanted)
        if not data:
            raise BadArchive(f"archive ends within {self.name!r}, {self._left} bytes are missing")
        self._left -= len(data)
        return data

    def finish(self) -> None:
        """Skip what was not read, and the padding."""
        while self.read(1 << 20):
            pass
        read_exactly(self._stream, -self.size % BLOCK)


def members(stream: Readable) -> Iterator[Member]:
    """All entries in their order. Raises BadArchive."""
    extension: dict[str, str] = {}
    while (header := _header(stream)) is not None:
        kind = header[156:157]
        size = _number(header[124:136])
        if kind in b"xgLK":
            data = _extension(stream, size)
            if kind != b"g":  # a global header says nothing that matters here
                extension.update(_read_extension(kind, data))
            continue
        member = _member(header, size, extension, stream)
        yield member
        member.finish()
        extension = {}


def _member(header: bytes, size: int, extension: dict[str, str], stream: Readable) -> Member:
    name, target = _text(header[:100]), _text(header[157:257])
    if header[257:263] == b"ustar\0" and header[345]:
        name = f"{_text(header[345:500])}/{name}"
    name = extension.get("path", name)
    kind = _KINDS.get(header[156:157], "entry of unknown type")
    if kind == "file" and name.endswith("/"):
        kind = "folder"  # how tar wrote folders before there was a type for them
    if "size" in extension:
        size = _decimal(extension["size"])
    if kind not in ("file", "sparse file"):
        size = 0
    return Member(name, kind, size, extension.get("linkpath", target), stream)


def _header(stream: Readable) -> bytes | None:
    """The next header block, or None at the end of the archive."""
    block = read_exactly(stream, BLOCK)
    if not block or block == _ZERO:
        return None
    if len(block) < BLOCK:
        raise BadArchive("archive ends within a header")
    stated = _number(block[148:156])
    if stated != sum(block[:148]) + 8 * 32 + sum(block[156:]):
        raise BadArchive("not a tar archive: a header's checksum is wrong")
    return block


def _number(field: bytes) -> int:
    """Octal digits, or GNU's base 256 for what is too large for them."""
    if field[0] & 0x80:
        value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        if field[0] & 0x40:
            raise BadArchive("a tar header has a negative number")
        return value
    digits = field.split(b"\0")[0].strip()
    try:
        return int(digits or b"0", 8)
    except ValueError:
        raise BadArchive(f"not a tar archive: no octal number but {digits!r} in a header") from None


def _decimal(text: str) -> int:
    if not text.isdecimal() or len(text) > 20:
        raise BadArchive(f"a pax header has no size but {text!r}")
    return int(text)


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("utf-8", "surrogateescape")


def _extension(stream: Readable, size: int) -> bytes:
    if size > MAX_EXTENSION:
        raise BadArchive(f"a tar extension header of {size} bytes is too large")
    data = read_exactly(stream, size)
    read_exactly(stream, -size % BLOCK)
    return data


def _read_extension(kind: bytes, data: bytes) -> dict[str, str]:
    if kind == b"L":
        return {"path": _text(data)}
    if kind == b"K":
        return {"linkpath": _text(data)}
    return dict(_pax(data))


def _pax(data: bytes) -> Iterator[tuple[str, str]]:
    """Records `LENGTH KEY=VALUE\\n`, the length being that of the whole record."""
    while data:
        length, _, _ = data[:20].partition(b" ")
        if not length.isdigit() or not len(length) + 3 <= int(length) <= len(data):
            raise BadArchive("a pax header is broken")
        key, _, value = data[len(length) + 1 : int(length) - 1].partition(b"=")
        yield key.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")
        data = data[int(length) :]
