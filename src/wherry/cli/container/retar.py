"""A tar stream on its way from one engine to another: its names change, all else passes through.

Nothing is kept but the header at hand. An archive that ends without its mark was cut off, by a
broken link or by an engine that could not go on: the reader of the new stream is told by an error,
never by a shorter archive.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from wherry.kit.errors import Conflict
from wherry.layer import header, pax
from wherry.layer.errors import BrokenArchive
from wherry.layer.header import BLOCK, WITHOUT_DATA, ZEROS
from wherry.layer.source import Source
from wherry.layer.tarwriter import FAILURE, extended

Rename = Callable[[str], str]
_SPARSE_NAME = "GNU.sparse.name"


class Member(NamedTuple):
    """One member's header: as it came, and what it says. `size` is the stored data's, in bytes."""

    name: str
    link: str
    kind: str
    size: int
    raw: bytes
    block: bytes
    records: Mapping[str, bytes]


Entry = tuple[Member, Iterator[bytes]]
"""A member and its data, which must be read before the next entry."""


class Reading:
    """Members in order; the data of one are read before the next. Raises BrokenArchive, Conflict.

    Conflict is what the source's engine says of itself: a file changed while it was read.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._source = Source(pieces)

    def __iter__(self) -> Iterator[Member]:
        while (member := self._next()) is not None:
            yield member
        self._source.drain()

    def data(self, member: Member) -> Iterator[bytes]:
        """Its data with their padding."""
        for part in self._source.parts(member.size + -member.size % BLOCK):
            yield bytes(part)

    def _next(self) -> Member | None:
        raw = b""
        records: dict[str, bytes] = {}
        while (block := self._source.block()) is not None:
            if block == ZEROS:
                return None
            found = header.parse(block)
            if found.kind not in "xgLKX":
                return _member(found, raw + block, block, records)
            body = self._body(found)
            raw += block + body + bytes(-len(body) % BLOCK)
            records |= _extension(found.kind, body)
        raise BrokenArchive("it ended in the middle: the connection or the engine broke off")

    def _body(self, found: header.Header) -> bytes:
        if not 0 <= found.size <= pax.MAX_BYTES:
            raise BrokenArchive(f"an extended tar header of {found.size} bytes is too large")
        body = self._source.take(found.size)
        self._source.skip(-found.size % BLOCK)
        return body


def _extension(kind: str, body: bytes) -> dict[str, bytes]:
    """What an extension says, in the words of pax."""
    if kind in "LK":
        return {"path" if kind == "L" else "linkpath": body.rstrip(b"\0")}
    records = pax.parse(body).values
    if FAILURE in records:
        raise Conflict(records[FAILURE].decode("utf-8", "replace"))
    return records


def _member(found: header.Header, raw: bytes, block: bytes, records: Mapping[str, bytes]) -> Member:
    def text(*keys: str, otherwise: str) -> str:
        said = next((records[key] for key in keys if key in records), None)
        return otherwise if said is None else said.decode("utf-8", "surrogateescape")

    name = text(_SPARSE_NAME, "path", otherwise=found.name)
    link = text("linkpath", otherwise=found.link)
    size = 0 if found.kind in WITHOUT_DATA else pax.integer(dict(records), "size", found.size)
    return Member(name, link, found.kind, size, raw, block, records)


def renamed(member: Member, rename: Rename) -> bytes:
    """Its header under another name; a hard link points to the new name of its target."""
    link = rename(member.link) if member.kind == header.HARD_LINK else member.link
    return named(member, rename(member.name), link)


def named(member: Member, name: str, link: str | None = None) -> bytes:
    """Its header with this name, and with this target where one is given."""
    name = _kept_slash(name, member.name)
    link = member.link if link is None else link
    if (name, link) == (member.name, member.link):
        return member.raw
    return _headed(dict(member.records), name, link) + member.block


def linked(member: Member, name: str, target: str) -> bytes:
    """A hard link with the member's owner, mode, time and attributes to a file that is there."""
    kept = {
        key: value
        for key, value in member.records.items()
        if key != "size" and not key.startswith("GNU.sparse.")
    }
    return _headed(kept, name, target) + _as_link(member.block)


def _as_link(block: bytes) -> bytes:
    """The header block with size 0 and the kind of a hard link (offsets of POSIX ustar)."""
    head, after = block[:124] + b"0" * 11 + b"\0" + block[136:148], b"1" + block[157:]
    return head + b"%06o\0 " % sum(head + b" " * 8 + after) + after


def _headed(records: dict[str, bytes], name: str, link: str) -> bytes:
    records["path"] = name.encode("utf-8", "surrogateescape")
    if _SPARSE_NAME in records:
        records[_SPARSE_NAME] = records["path"]
    if link:
        records["linkpath"] = link.encode("utf-8", "surrogateescape")
    return extended(records)


def _kept_slash(name: str, original: str) -> str:
    return name + "/" if original.endswith("/") and not name.endswith("/") else name
