"""Tar headers: one 512-byte block to values (POSIX ustar, GNU tar, V7).

Sources: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
"""

import struct
from typing import NamedTuple

from wherry.layer.errors import BrokenArchive

BLOCK = 512
ZEROS = bytes(BLOCK)

REGULAR = "0"
HARD_LINK = "1"
SYMLINK = "2"
CHARACTER = "3"
BLOCK_DEVICE = "4"
DIRECTORY = "5"
FIFO = "6"
WITHOUT_DATA = frozenset("123456")
"""Kinds whose size field, if any, is not followed by data (as Go's archive/tar has it)."""

_FORMAT = struct.Struct("100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12s")
_TEXT = "surrogateescape"


class Header(NamedTuple):
    """The fields of a block. `kind` is the raw type flag; times in seconds, sizes in bytes."""

    name: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    kind: str
    link: str
    major: int
    minor: int


def text(raw: bytes) -> str:
    """Bytes up to the first NUL as a path; any bytes survive."""
    end = raw.find(0)
    return (raw if end < 0 else raw[:end]).decode("utf-8", _TEXT)


def number(raw: bytes) -> int:
    """Octal digits, or GNU's base 256 (first bit set). Raises BrokenArchive."""
    try:
        return int(raw.rstrip(b" \0") or b"0", 8)
    except ValueError:
        return _odd_number(raw)


def _odd_number(raw: bytes) -> int:
    if raw[0] & 0x80:
        value = int.from_bytes(raw, "big")
        bits = 8 * len(raw)
        if raw[0] == 0xFF:
            return value - (1 << bits)
        return value - (1 << (bits - 1))
    digits = raw.split(b"\0", 1)[0].strip()
    try:
        return int(digits or b"0", 8)
    except ValueError as error:
        raise BrokenArchive(f"broken tar header: {raw!r} is not an octal number") from error


def parse(block: bytes) -> Header:
    """Read a header block and check its sum. Raises BrokenArchive."""
    fields = _FORMAT.unpack(block)
    _check_sum(block, fields[6])
    name, magic = text(fields[0]), fields[9]
    major = minor = 0
    if magic == b"ustar\0" or magic == b"ustar ":
        if fields[13][:1] not in b"\0" or fields[14][:1] not in b"\0":
            major, minor = number(fields[13]), number(fields[14])
        if magic == b"ustar\0" and fields[15][0]:
            name = f"{text(fields[15])}/{name}"
    return Header(
        name,
        number(fields[1]),
        number(fields[2]),
        number(fields[3]),
        number(fields[4]),
        number(fields[5]),
        fields[7].decode("latin-1"),
        text(fields[8]),
        major,
        minor,
    )


def _check_sum(block: bytes, field: bytes) -> None:
    wanted = number(field)
    own = sum(block[148:156])
    if sum(block) - own + 256 == wanted:
        return
    # Old writers summed signed bytes.
    rest = block[:148] + block[156:]
    if sum(byte - 256 if byte > 127 else byte for byte in rest) + 256 != wanted:
        raise BrokenArchive("broken tar header: its checksum is wrong (is this a tar archive?)")
