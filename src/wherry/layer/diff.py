"""A snapshot's changes, as a list (`docker diff`) and as a layer's tar stream (`docker commit`)."""

import os
import stat
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

from wherry.layer import header
from wherry.layer.compare import DELETED, MODIFIED, Comparison, Found
from wherry.layer.intake import Tally
from wherry.layer.tarwriter import END, Links, Member, encode, file_pieces
from wherry.layer.whiteout import PREFIX, Style
from wherry.linux.path import RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV, openat2
from wherry.oci.compression import gzip_encoder
from wherry.oci.digest import Digest

_GATHER = 256 << 10
_HANDLE = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class Change(NamedTuple):
    """One line of `docker diff`: kind 0 modified, 1 added, 2 deleted; an absolute path."""

    path: str
    kind: int


class Written(NamedTuple):
    """A layer that was written: what its plain tar is, and what came out. Sizes in bytes."""

    diff_id: Digest
    diff_size: int
    digest: Digest
    size: int
    entries: int


class Sink(Protocol):
    """Where the bytes go; the result of `write` is not used, all is taken."""

    def write(self, data: bytes, /) -> object: ...


def changes(upper: str, lowers: Sequence[str], style: Style) -> Iterator[Change]:
    """Docker's list: a directory in which something changed is listed as modified before it.

    The arguments are a snapshot's `Difference`.
    """
    listed = {"/"}
    for found in Comparison(upper, lowers, style):
        if found.same or found.path == "/":
            continue
        for parent in _parents(found.path):
            if parent not in listed:
                listed.add(parent)
                yield Change(parent, MODIFIED)
        if found.status is not None and stat.S_ISDIR(found.status.st_mode):
            listed.add(found.path)
        yield Change(found.path, found.kind)


def _parents(path: str) -> Iterator[str]:
    """The directories above, highest first, without the root."""
    at = path.find("/", 1)
    while at > 0:
        yield path[:at]
        at = path.find("/", at + 1)


def write(
    sink: Sink,
    upper: str,
    lowers: Sequence[str] = (),
    style: Style = "trusted",
    *,
    compression: Literal["gzip", "none"] = "gzip",
) -> Written:
    """Write the layer whose application gives the same tree again; the order is that of names.

    Modification times are cut to seconds, as Docker does. Raises OSError of the tree or the sink.
    """
    out = _Output(sink, compression == "gzip")
    root_fd = os.open(upper, _HANDLE)
    try:
        entries = 0
        for pieces in _members(root_fd, Comparison(upper, lowers, style)):
            entries += 1
            for piece in pieces:
                out.add(piece)
    finally:
        os.close(root_fd)
    out.add(END)
    out.finish()
    return Written(out.plain.digest, out.plain.size, out.stored.digest, out.stored.size, entries)


def _members(root_fd: int, differences: Comparison) -> Iterator[Iterator[bytes]]:
    links: Links = {}
    written = {"/"}
    for found in differences:
        for parent in _parents(found.path):
            if parent not in written:
                written.add(parent)
                yield _parent_pieces(root_fd, parent)
        if found.kind == DELETED:
            yield iter((_whiteout(found),))
            continue
        if found.status is None:
            continue
        if stat.S_ISDIR(found.status.st_mode):
            written.add(found.path)
        name = found.path[1:] or "./"
        yield file_pieces(found.directory_fd, found.base, found.status, name, links)


def _whiteout(found: Found) -> bytes:
    folder, _, name = found.path[1:].rpartition("/")
    return encode(Member(f"{folder}/{PREFIX}{name}" if folder else PREFIX + name, header.REGULAR))


def _parent_pieces(root_fd: int, path: str) -> Iterator[bytes]:
    """An unchanged directory: its metadata must not be lost where the layer is unpacked alone."""
    try:
        resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV
        descriptor = openat2(root_fd, path[1:], _HANDLE, 0, resolve)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        yield from file_pieces(descriptor, ".", os.fstat(descriptor), path[1:], {})
    finally:
        os.close(descriptor)


class _Output:
    """Gathers small pieces, counts, compresses, counts again."""

    def __init__(self, sink: Sink, compressed: bool) -> None:
        self._sink = sink
        self._encoder = gzip_encoder() if compressed else None
        self._pieces: list[bytes] = []
        self._gathered = 0
        self.plain = Tally()
        self.stored = Tally()

    def add(self, piece: bytes) -> None:
        """Take bytes of the tar stream."""
        self._pieces.append(piece)
        self._gathered += len(piece)
        if self._gathered >= _GATHER:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._pieces)
        self._pieces, self._gathered = [], 0
        self.plain.add(data)
        self._put(data if self._encoder is None else self._encoder.compress(data))

    def _put(self, data: bytes) -> None:
        if data:
            self.stored.add(data)
            self._sink.write(data)

    def finish(self) -> None:
        """Write what is left."""
        self._flush()
        if self._encoder is not None:
            self._put(self._encoder.flush())
