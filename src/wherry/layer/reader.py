"""Tar archives as a sequence of entries: extended headers, long names and sparse maps resolved."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from wherry.layer import header, pax
from wherry.layer.errors import BrokenArchive
from wherry.layer.header import BLOCK, WITHOUT_DATA, ZEROS, Header
from wherry.layer.source import Source, write_all

_MAX_DEVICE = (1 << 32) - 1
_MAX_ID = (1 << 32) - 2  # 2^32-1 means "leave it alone" to chown(2)
_KINDS = {"\0": "0", "7": "0"}  # V7 and "contiguous" files are regular ones
_GNU_LONG = ("L", "K")


class Entry(NamedTuple):
    """One member. Bytes in `size`, `real_size` and `sparse`; nanoseconds in `mtime`."""

    name: str
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    link: str
    device: tuple[int, int]
    xattrs: tuple[tuple[str, bytes], ...]
    sparse: pax.Segments | None
    real_size: int


class TarReader:
    """Entries in order. The data of an entry is read (or skipped) before the next one.

    `whole` insists on the end mark: without it the stream was cut, though between two members.
    """

    def __init__(self, pieces: Iterator[bytes], *, whole: bool = False) -> None:
        self._source = Source(pieces)
        self._whole = whole
        self._left = 0
        self._padding = 0
        self._global: dict[str, bytes] = {}

    def __iter__(self) -> Iterator[Entry]:
        while (entry := self.next()) is not None:
            yield entry
        self._source.drain()

    def next(self) -> Entry | None:
        """The next entry, None at the end. Raises BrokenArchive."""
        self._source.skip(self._left + self._padding)
        self._left = self._padding = 0
        records: pax.Records | None = None
        long_name = long_link = ""
        while (block := self._source.block()) is not None and block != ZEROS:
            found = header.parse(block)
            kind = found.kind
            if kind == "L":
                long_name = header.text(self._extension(found))
            elif kind == "K":
                long_link = header.text(self._extension(found))
            elif kind == "x" or kind == "X":
                records = pax.parse(self._extension(found))
            elif kind == "g":
                self._global.update(pax.parse(self._extension(found)).values)
            else:
                return self._entry(found, block, records, long_name, long_link)
        if block is None and self._whole:
            raise BrokenArchive("the tar archive ends without its end mark")
        if records or long_name or long_link:
            raise BrokenArchive("the tar archive ends after an extended header")
        return None

    def _extension(self, found: Header) -> bytes:
        if not 0 <= found.size <= pax.MAX_BYTES:
            raise BrokenArchive(f"an extended tar header of {found.size} bytes is too large")
        data = self._source.take(found.size)
        self._source.skip(-found.size % BLOCK)
        return data

    def _entry(
        self,
        found: Header,
        block: bytes,
        records: pax.Records | None,
        long_name: str,
        long_link: str,
    ) -> Entry:
        kind = _KINDS.get(found.kind, found.kind)
        if kind == "0" and (long_name or found.name).endswith("/"):
            kind = "5"  # V7 archives have no flag for directories
        entry = Entry(
            long_name or found.name,
            kind,
            found.mode & 0o7777,
            found.uid,
            found.gid,
            found.size,
            _bounded(found.mtime * 1_000_000_000),
            long_link or found.link,
            (found.major, found.minor),
            (),
            None,
            found.size,
        )
        if records is not None or self._global:
            entry = _with_records(entry, self._global, records or pax.Records({}, ()))
        _check(entry)
        return self._begin(entry, block, records)

    def _begin(self, entry: Entry, block: bytes, records: pax.Records | None) -> Entry:
        if entry.kind in WITHOUT_DATA:
            return entry._replace(size=0, real_size=0)
        self._left, self._padding = entry.size, -entry.size % BLOCK
        if entry.kind == "S":
            entry = self._old_sparse(entry, block)
        elif records is not None and entry.kind == "0":
            entry = self._pax_sparse(entry, records)
        if entry.sparse is not None:
            pax.check_segments(entry.sparse, self._left, entry.real_size)
        return entry

    def _old_sparse(self, entry: Entry, block: bytes) -> Entry:
        segments = pax.old_gnu_segments(block, 386, 4)
        more, real_size = block[482], header.number(block[483:495])
        while more:
            extension = self._source.take(BLOCK)
            segments += pax.old_gnu_segments(extension, 0, 21)
            more = extension[504]
            if len(segments) * 24 > pax.MAX_BYTES:
                raise BrokenArchive(f"the sparse map of {entry.name!r} is too large")
        return entry._replace(kind="0", sparse=tuple(segments), real_size=real_size)

    def _pax_sparse(self, entry: Entry, records: pax.Records) -> Entry:
        values = records.values
        if values.get("GNU.sparse.major") == b"1" and values.get("GNU.sparse.minor") == b"0":
            segments: pax.Segments | None = self._map_in_data(entry)
        else:
            segments = pax.sparse_map(records)
        if segments is None:
            return entry
        size = pax.integer(values, "GNU.sparse.size", entry.real_size)
        return entry._replace(
            sparse=segments, real_size=pax.integer(values, "GNU.sparse.realsize", size)
        )

    def _map_in_data(self, entry: Entry) -> pax.Segments:
        """Format 1.0: decimal lines at the start of the data, padded to a block."""
        lines: list[bytes] = []
        wanted, rest, read = -1, b"", 0
        while wanted < 0 or len(lines) < wanted:
            if self._left < BLOCK or read > pax.MAX_BYTES:
                raise BrokenArchive(f"broken sparse map of {entry.name!r}")
            block = self._source.take(BLOCK)
            self._left -= BLOCK
            read += BLOCK
            *whole, rest = (rest + block).split(b"\n")
            lines += whole
            if wanted < 0 and lines:
                wanted = 2 * _map_number(lines.pop(0))
        numbers = [_map_number(line) for line in lines[:wanted]]
        return tuple(zip(numbers[::2], numbers[1::2], strict=True))

    def copy_to(self, descriptor: int, entry: Entry) -> None:
        """Write the entry's content to an empty file; holes stay holes."""
        if entry.sparse is not None:
            self._copy_sparse(descriptor, entry)
        elif entry.size:
            self._source.write_to(descriptor, entry.size)
        self._left = 0

    def _copy_sparse(self, descriptor: int, entry: Entry) -> None:
        for offset, length in entry.sparse or ():
            os.lseek(descriptor, offset, os.SEEK_SET)
            for part in self._source.parts(length):
                write_all(descriptor, part)
        os.ftruncate(descriptor, entry.real_size)


def _bounded(time: int) -> int:
    """Times before 1970 or after 2262 become the epoch, as in Docker."""
    return time if 0 <= time <= pax.MAX_SIZE else 0


def _map_number(line: bytes) -> int:
    if not line.isdigit() or len(line) > 20:
        raise BrokenArchive(f"broken sparse map: {line[:40]!r} is not a number")
    return int(line)


def _with_records(entry: Entry, everywhere: dict[str, bytes], records: pax.Records) -> Entry:
    values = everywhere | records.values if everywhere else records.values
    name = values.get("GNU.sparse.name") or values.get("path")
    link, mtime = values.get("linkpath"), values.get("mtime")
    size = pax.integer(values, "size", entry.size)
    return entry._replace(
        name=pax.path(name, "path") if name else entry.name,
        link=pax.path(link, "linkpath") if link else entry.link,
        uid=pax.integer(values, "uid", entry.uid),
        gid=pax.integer(values, "gid", entry.gid),
        mtime=_bounded(pax.nanoseconds(mtime)) if mtime else entry.mtime,
        xattrs=pax.xattrs(values),
        size=size,
        real_size=size,
    )


def _check(entry: Entry) -> None:
    if not 0 <= entry.size <= pax.MAX_SIZE:
        raise BrokenArchive(f"impossible size {entry.size} of {entry.name[:300]!r}")
    if not (0 <= entry.uid <= _MAX_ID and 0 <= entry.gid <= _MAX_ID):
        raise BrokenArchive(f"impossible owner {entry.uid}:{entry.gid} of {entry.name[:300]!r}")
    if not all(0 <= part <= _MAX_DEVICE for part in entry.device):
        raise BrokenArchive(f"impossible device {entry.device} of {entry.name[:300]!r}")
