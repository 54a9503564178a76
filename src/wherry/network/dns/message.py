"""DNS messages (RFC 1035, 6891): as much as a name server for known names has to read and write.

What it does not know it passes on as bytes. A message may come from anybody: every function
here ends after at most as many steps as the message has bytes, and raises Malformed only.
"""

import socket
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

A, CNAME, PTR, AAAA, OPT, ANY = 1, 5, 12, 28, 41, 255
INTERNET = 1
NO_ERROR, FORMAT_ERROR, SERVER_FAILURE, NAME_ERROR, NOT_IMPLEMENTED, REFUSED = 0, 1, 2, 3, 4, 5
HEADER = 12
LARGEST = 0xFFFF
SMALLEST_LIMIT = 512
"""Bytes that every client takes in a datagram; more when it says so (EDNS)."""

_RESPONSE, _RECURSION_DESIRED, _RECURSION_AVAILABLE, _TRUNCATED = 0x8000, 0x0100, 0x0080, 0x0200
_OPCODE = 0x7800
_NAME_LIMIT = 255
_POINTERS = 64
_RECORDS = 4096
_TO_QUESTION = b"\xc0\x0c"
_LOWER = bytes(byte + 32 if 65 <= byte <= 90 else byte for byte in range(256))


class Malformed(ValueError):
    """Not a DNS message, or one that nobody sends in earnest."""


class Query(NamedTuple):
    """One question, and what an answer has to repeat of it."""

    id: int
    flags: int
    name: str
    """In lower case, without the last dot; a dot or other odd byte in a label is `\\DDD`."""
    kind: int
    klass: int
    question: bytes
    """As it was asked, in its own capitals."""
    edns: bool
    limit: int
    """Bytes of an answer by datagram."""

    @property
    def standard(self) -> bool:
        """A plain question, not an update, a notification or such."""
        return not self.flags & _OPCODE


class Record(NamedTuple):
    """A resource record of an answer."""

    name: str
    kind: int
    ttl: int
    data: bytes


def read_query(data: bytes) -> Query:
    """The question in a message. Raises Malformed for an answer, or not exactly one question."""
    identity, flags, questions, *others = _header(data)
    if flags & _RESPONSE or questions != 1:
        raise Malformed("not one question")
    name, at = read_name(data, HEADER, compressed=False)
    kind, klass = _numbers(data, at, ">HH")
    edns, limit = False, SMALLEST_LIMIT
    for found in _records(data, at + 4, sum(others)):
        if found.kind == OPT:  # whose class is the size of a datagram
            edns, limit = True, max(SMALLEST_LIMIT, found.klass)
    return Query(identity, flags, name, kind, klass, data[HEADER : at + 4], edns, limit)


def _header(data: bytes) -> tuple[int, ...]:
    return _numbers(data, 0, ">6H")


def _numbers(data: bytes, at: int, layout: str) -> tuple[int, ...]:
    try:
        return struct.unpack_from(layout, data, at)
    except struct.error:
        raise Malformed(f"message of {len(data)} bytes ends early") from None


def read_name(data: bytes, at: int, *, compressed: bool = True) -> tuple[str, int]:
    """The name at an offset, and the offset behind it."""
    labels: list[str] = []
    length, pointers, end = 0, 0, -1
    while size := _numbers(data, at, ">B")[0]:
        if size >= 0xC0 and compressed:
            end = at + 2 if end < 0 else end
            at = _numbers(data, at, ">H")[0] & 0x3FFF
            pointers += 1
        elif size > 63:
            raise Malformed("label of unknown kind")
        else:
            label = data[at + 1 : at + 1 + size]
            length += len(label) + 1
            at += 1 + size
            labels.append(_text(label))
        if pointers > _POINTERS or length >= _NAME_LIMIT:
            raise Malformed("name is too long")
    return ".".join(labels), at + 1 if end < 0 else end


def _text(label: bytes) -> str:
    lower = label.translate(_LOWER)
    if all(33 <= byte <= 126 and byte not in b".\\" for byte in lower):
        return lower.decode("ascii")
    return "".join(
        chr(byte) if 33 <= byte <= 126 and byte not in b".\\" else f"\\{byte:03d}" for byte in lower
    )


class _Found(NamedTuple):
    """A record in a message, its data as offsets, since names in it may point elsewhere."""

    name: str
    kind: int
    klass: int
    ttl: int
    start: int
    end: int


def _records(data: bytes, at: int, count: int) -> Iterator[_Found]:
    for _ in range(min(count, _RECORDS)):
        name, at = read_name(data, at)
        kind, klass, ttl, size = _numbers(data, at, ">HHIH")
        start, at = at + 10, at + 10 + size
        if at > len(data):
            raise Malformed("record ends behind the message")
        yield _Found(name, kind, klass, ttl, start, at)


def write_name(name: str) -> bytes:
    """A name in wire form. Raises Malformed for one that has none."""
    raw = name.encode("utf-8", "replace")
    labels = raw.split(b".") if raw else []
    if any(not 1 <= len(label) <= 63 for label in labels) or len(raw) + 2 > _NAME_LIMIT:
        raise Malformed(f"name {name!r} has no wire form")
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def answer(
    query: Query,
    records: Sequence[tuple[int, bytes]] = (),
    *,
    ttl: int = 0,
    code: int = NO_ERROR,
    limit: int = LARGEST,
) -> bytes:
    """Records (kind, data) for the question's own name; cut to the limit, and then marked so."""
    listed = [_TO_QUESTION + _record(kind, ttl, data) for kind, data in records]
    extra = b"\0" + struct.pack(">HHIH", OPT, 4096, 0, 0) if query.edns else b""
    room = limit - HEADER - len(query.question) - len(extra)
    kept = list(_fitting(listed, room))
    flags = _RESPONSE | _RECURSION_AVAILABLE | query.flags & (_RECURSION_DESIRED | _OPCODE) | code
    if len(kept) < len(listed):
        flags |= _TRUNCATED
    counts = (1, len(kept), 0, int(query.edns))
    head = struct.pack(">6H", query.id, flags, *counts)
    return head + query.question + b"".join(kept) + extra


def _fitting(listed: Sequence[bytes], room: int) -> Iterator[bytes]:
    for entry in listed:
        room -= len(entry)
        if room < 0:
            return
        yield entry


def _record(kind: int, ttl: int, data: bytes) -> bytes:
    return struct.pack(">HHIH", kind, INTERNET, ttl, len(data)) + data


def format_error(data: bytes) -> bytes | None:
    """An answer to a message that is none; None where even that would be too much."""
    if len(data) < HEADER or data[2] & 0x80:
        return None
    flags = _RESPONSE | _RECURSION_AVAILABLE | FORMAT_ERROR
    return data[:2] + struct.pack(">5H", flags, 0, 0, 0, 0)


def with_id(data: bytes, identity: int) -> bytes:
    """The same message under another number."""
    return struct.pack(">H", identity) + data[2:]


def answers(data: bytes, identity: int, query: Query) -> bool:
    """Whether a message answers this question, asked under this number."""
    if len(data) < HEADER or data[:2] != struct.pack(">H", identity) or not data[2] & 0x80:
        return False
    if not struct.unpack_from(">H", data, 4)[0]:
        return data[3] & 0x0F in (FORMAT_ERROR, SERVER_FAILURE, NOT_IMPLEMENTED, REFUSED)
    asked = data[HEADER : HEADER + len(query.question)]
    return asked.translate(_LOWER) == query.question.translate(_LOWER)


def code_of(data: bytes) -> int:
    """The response code of an answer."""
    return data[3] & 0x0F


def addresses(data: bytes, query: Query) -> list[Record]:
    """The address records that an answer gives for the question, through its aliases."""
    _, _, questions, count, _, _ = _header(data)
    at = HEADER
    for _ in range(min(questions, 2)):
        _, at = read_name(data, at)
        at += 4
    named, found = {query.name}, []
    for record in _records(data, at, count):
        if record.klass != INTERNET or record.name not in named:
            continue
        if record.kind == CNAME:
            named.add(read_name(data, record.start)[0])
        elif (record.kind, record.end - record.start) in ((A, 4), (AAAA, 16)):
            raw = data[record.start : record.end]
            found.append(Record(record.name, record.kind, record.ttl, raw))
    return found


def packed(address: str) -> tuple[int, bytes]:
    """An address as (kind, data) of a record. Raises Malformed."""
    try:
        if ":" in address:
            return AAAA, socket.inet_pton(socket.AF_INET6, address)
        return A, socket.inet_pton(socket.AF_INET, address)
    except OSError:
        raise Malformed(f"not an address: {address!r}") from None


def reversed_address(name: str) -> str:
    """The address that a PTR question asks for, or "" where it asks for something else."""
    labels = name.split(".")
    if name.endswith(".in-addr.arpa") and len(labels) == 6:
        octets = labels[3::-1]
        if all(part.isdigit() and part.isascii() and int(part) < 256 for part in octets):
            return ".".join(str(int(part)) for part in octets)
    if name.endswith(".ip6.arpa") and len(labels) == 34:
        nibbles = labels[31::-1]
        if all(len(digit) == 1 and digit in "0123456789abcdef" for digit in nibbles):
            return socket.inet_ntop(socket.AF_INET6, bytes.fromhex("".join(nibbles)))
    return ""
