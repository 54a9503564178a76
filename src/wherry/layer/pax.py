"""Extended headers (POSIX.1-2017, pax, "pax Extended Header") and the sparse maps in them.

Sparse formats: GNU tar manual, "Sparse Formats" (old GNU, PAX 0.0, 0.1 and 1.0).
"""

from typing import NamedTuple

from wherry.layer.errors import BrokenArchive
from wherry.layer.header import number

MAX_SIZE = (1 << 63) - 1
"""Largest file size that the kernel can express."""
MAX_BYTES = 4 << 20
"""Largest extended header, long name or sparse map that is read into memory."""
XATTR = "SCHILY.xattr."

Segments = tuple[tuple[int, int], ...]
"""Data of a sparse file: (offset, length) in bytes, ascending."""


class Records(NamedTuple):
    """An extended header: the last value of each key, and the pairs of sparse format 0.0."""

    values: dict[str, bytes]
    pairs: tuple[tuple[int, int], ...]


def parse(data: bytes) -> Records:
    """`length key=value newline` records. Raises BrokenArchive."""
    values: dict[str, bytes] = {}
    pairs: list[tuple[int, int]] = []
    at, offset = 0, 0
    while at < len(data):
        key, value, at = _record(data, at)
        if key == "GNU.sparse.offset":
            offset = _decimal(value, key)
        elif key == "GNU.sparse.numbytes":
            pairs.append((offset, _decimal(value, key)))
        values[key] = value
    return Records(values, tuple(pairs))


def _record(data: bytes, at: int) -> tuple[str, bytes, int]:
    space = data.find(b" ", at, at + 20)
    digits = data[at:space] if space > at else b""
    length = int(digits) if digits.isdigit() else 0
    stop = at + length
    equals = data.find(b"=", space, stop)
    if length == 0 or stop > len(data) or equals < 0 or data[stop - 1] != 0x0A:
        raise BrokenArchive("broken extended tar header: not a `length key=value` record")
    return (
        data[space + 1 : equals].decode("utf-8", "surrogateescape"),
        data[equals + 1 : stop - 1],
        stop,
    )


def path(value: bytes, key: str) -> str:
    """A path value. Raises BrokenArchive where it has a NUL in it."""
    if b"\0" in value:
        raise BrokenArchive(f"broken extended tar header: a NUL byte in {key}")
    return value.decode("utf-8", "surrogateescape")


def _decimal(value: bytes, key: str) -> int:
    if not value.isdigit() or len(value) > 20:
        raise BrokenArchive(f"broken extended tar header: {key}={value[:40]!r} is not a number")
    return int(value)


def integer(values: dict[str, bytes], key: str, otherwise: int) -> int:
    """A decimal value, or `otherwise` where the key is missing or empty (which means: unset)."""
    value = values.get(key)
    return _decimal(value, key) if value else otherwise


def nanoseconds(value: bytes) -> int:
    """`seconds[.fraction]`, possibly negative, to nanoseconds. Raises BrokenArchive."""
    body = value.removeprefix(b"-")
    whole, _, fraction = body.partition(b".")
    if not whole.isdigit() or len(whole) > 20 or (fraction and not fraction.isdigit()):
        raise BrokenArchive(f"broken extended tar header: {value[:40]!r} is not a time")
    total = int(whole) * 1_000_000_000 + int(fraction[:9].ljust(9, b"0") or b"0")
    return -total if value.startswith(b"-") else total


def xattrs(values: dict[str, bytes]) -> tuple[tuple[str, bytes], ...]:
    """The extended attributes among the records. Raises BrokenArchive (NUL in a name)."""
    start = len(XATTR)
    if any("\0" in key for key in values):
        raise BrokenArchive("broken extended tar header: a NUL byte in a name")
    return tuple((key[start:], value) for key, value in values.items() if key.startswith(XATTR))


def sparse_map(records: Records) -> Segments | None:
    """The map of formats 0.0 and 0.1, None where the header has none."""
    inline = records.values.get("GNU.sparse.map")
    if inline:
        numbers = [_decimal(part, "GNU.sparse.map") for part in inline.split(b",")]
        if len(numbers) % 2:
            raise BrokenArchive("broken sparse map: an odd count of numbers")
        return tuple(zip(numbers[::2], numbers[1::2], strict=True))
    return records.pairs or None


def old_gnu_segments(block: bytes, at: int, count: int) -> list[tuple[int, int]]:
    """Up to `count` entries of the old GNU format in a header (or extension) block."""
    segments = []
    for position in range(at, at + 24 * count, 24):
        entry = block[position : position + 24]
        if not entry[0]:
            break
        segments.append((number(entry[:12]), number(entry[12:])))
    return segments


def check_segments(segments: Segments, stored: int, real_size: int) -> None:
    """Ascending, inside the file, and exactly the stored bytes. Raises BrokenArchive."""
    position = total = 0
    for offset, length in segments:
        if offset < position or length < 0:
            raise BrokenArchive("broken sparse map: segments overlap")
        position = offset + length
        total += length
    if not position <= real_size <= MAX_SIZE or total != stored:
        raise BrokenArchive("broken sparse map: it does not fit the size of the file")
