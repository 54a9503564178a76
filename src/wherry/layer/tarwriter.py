"""Files become tar members: ustar headers, extended (pax) ones only where a field needs it."""

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from wherry.kit.errors import Conflict
from wherry.layer import header, sparse
from wherry.layer.dress import OWNER
from wherry.layer.header import BLOCK

PIECE = 1 << 20
_TEXT = "surrogateescape"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MAX_OCTAL = {8: 0o7777777, 12: 0o77777777777}
_KEPT_XATTRS = ("user.", "security.capability")
_OWN_XATTRS = ("user.overlay.", "user.wherry.")
_NO_XATTRS = (errno.EOPNOTSUPP, errno.EPERM, errno.ENODATA, errno.ENOENT)
_KINDS = {
    stat.S_IFREG: header.REGULAR,
    stat.S_IFLNK: header.SYMLINK,
    stat.S_IFCHR: header.CHARACTER,
    stat.S_IFBLK: header.BLOCK_DEVICE,
    stat.S_IFDIR: header.DIRECTORY,
    stat.S_IFIFO: header.FIFO,
}

END = bytes(2 * BLOCK)
"""What an archive ends with."""


class Member(NamedTuple):
    """A header's content. `mtime` in seconds, `size` in bytes."""

    name: str
    kind: str
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: int = 0
    link: str = ""
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[str, bytes], ...] = ()
    records: tuple[tuple[str, bytes], ...] = ()
    """Further records for the extended header."""


FAILURE = "WHERRY.failure"
"""Record of a global extended header: what went wrong; the archive ends there without its mark."""


def failure(text: str) -> bytes:
    """The end of an archive that could not be made whole, for those who look for it."""
    return extended({FAILURE: text.encode("utf-8", _TEXT)}, "g")


Links = dict[tuple[int, int], str]
"""Inodes with several names → the name under which they are in the archive already."""


def encode(member: Member) -> bytes:
    """The header block, with an extended one before it where that is needed."""
    records: dict[str, bytes] = {}
    name, prefix = _name(member.name, records)
    link = _text(member.link, 100, "linkpath", records)
    numbers = (
        _octal(member.mode, 8, "mode", records),
        _octal(member.uid, 8, "uid", records),
        _octal(member.gid, 8, "gid", records),
        _octal(member.size, 12, "size", records),
        _octal(member.mtime, 12, "mtime", records),
    )
    records |= {"SCHILY.xattr." + key: value for key, value in member.xattrs}
    records |= dict(member.records)
    block = _block(member, name, prefix, link, numbers)
    return extended(records) + block if records else block


def _block(
    member: Member, name: bytes, prefix: bytes, link: bytes, numbers: tuple[bytes, ...]
) -> bytes:
    major, minor = (b"%07o\0" % (part & 0o7777777) for part in member.device)
    parts = (
        name.ljust(100, b"\0"),
        *numbers,
        b" " * 8,
        member.kind.encode("ascii"),
        link.ljust(100, b"\0"),
        b"ustar\x0000",
        bytes(64),
        major,
        minor,
        prefix.ljust(155, b"\0"),
    )
    block = b"".join(parts).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _name(name: str, records: dict[str, bytes]) -> tuple[bytes, bytes]:
    """Name and prefix fields; a name that does not fit goes into the records."""
    raw = name.encode("utf-8", _TEXT)
    if len(raw) <= 100 and raw.isascii():
        return raw, b""
    split = raw.rfind(b"/", 0, min(156, len(raw) - 1))
    if raw.isascii() and split > 0 and len(raw) - split - 1 <= 100:
        return raw[split + 1 :], raw[:split]
    records["path"] = raw
    return raw[:100], b""


def _text(text: str, room: int, key: str, records: dict[str, bytes]) -> bytes:
    raw = text.encode("utf-8", _TEXT)
    if len(raw) > room or not raw.isascii():
        records[key] = raw
    return raw[:room]


def _octal(value: int, width: int, key: str, records: dict[str, bytes]) -> bytes:
    if 0 <= value <= _MAX_OCTAL[width]:
        return b"%0*o\0" % (width - 1, value)
    records[key] = str(value).encode()
    return b"0" * (width - 1) + b"\0"


def extended(records: Mapping[str, bytes], kind: str = "x") -> bytes:
    """A pax extended header (`g`: for all that follows); records in order of their keys."""
    body = b"".join(_record(key, records[key]) for key in sorted(records))
    head = Member("PaxHeaders.0/member", kind, mode=0o644, size=len(body))
    return encode(head) + body + bytes(-len(body) % BLOCK)


def _record(key: str, value: bytes) -> bytes:
    rest = b" " + key.encode("utf-8", _TEXT) + b"=" + value + b"\n"
    length = len(rest)
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def file_pieces(
    directory_fd: int,
    base: str,
    status: os.stat_result,
    name: str,
    links: Links,
    *,
    exact: bool = False,
) -> Iterator[bytes]:
    """The member of one file: header, content, padding. Nothing for sockets.

    A file that vanishes or changes its kind meanwhile gives nothing; one that becomes shorter is
    filled up with zeros: a container may be running. Directories' names get their slash here.
    `exact`: holes stay holes, and a file that changes while it is read raises Conflict.
    """
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        return
    identity = (status.st_dev, status.st_ino)
    if status.st_nlink > 1 and kind != header.DIRECTORY:
        if identity in links:
            again = _member(status, name, header.HARD_LINK, link=links[identity])
            # who unpacks a link may give the owner again, which takes the capabilities away
            yield encode(_with_xattrs(again, f"/proc/self/fd/{directory_fd}/{base}"))
            return
        links[identity] = name
    try:
        if kind == header.REGULAR:
            yield from _regular(directory_fd, base, name, exact)
        else:
            yield _special(directory_fd, base, status, name, kind)
    except (FileNotFoundError, NotADirectoryError):
        links.pop(identity, None)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):
            raise
        links.pop(identity, None)


def _member(status: os.stat_result, name: str, kind: str, **more: object) -> Member:
    member = Member(
        name,
        kind,
        stat.S_IMODE(status.st_mode),
        status.st_uid,
        status.st_gid,
        mtime=status.st_mtime_ns // 1_000_000_000,
    )
    return member._replace(**more)  # type: ignore[arg-type]


def _regular(directory_fd: int, base: str, name: str, exact: bool) -> Iterator[bytes]:
    descriptor = os.open(base, _READ, dir_fd=directory_fd)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return
        member = _member(status, name, header.REGULAR, size=status.st_size)
        if exact:
            yield from _exactly(descriptor, status, _with_xattrs(member, descriptor))
            return
        yield encode(_with_xattrs(member, descriptor))
        yield from _data(descriptor, status.st_size)
        yield from _padding(status.st_size)
    finally:
        os.close(descriptor)


def _data(descriptor: int, size: int) -> Iterator[bytes]:
    left = size
    while left:
        piece = os.read(descriptor, min(left, PIECE)) or bytes(min(left, PIECE))
        left -= len(piece)
        yield piece


def _padding(size: int) -> Iterator[bytes]:
    if size % BLOCK:
        yield bytes(-size % BLOCK)


def _exactly(descriptor: int, status: os.stat_result, member: Member) -> Iterator[bytes]:
    """The member with its holes. Raises Conflict where the file has changed at its end."""
    found = sparse.segments(descriptor, status)
    stored = status.st_size
    if found is not None:
        stored = sum(length for _, length in found)
        records = tuple(sparse.records(found, status.st_size).items())
        member = member._replace(size=stored, records=records)
    yield encode(member)
    for offset, length in ((0, stored),) if found is None else found:
        os.lseek(descriptor, offset, os.SEEK_SET)
        yield from _data(descriptor, length)
    yield from _padding(stored)
    after = os.fstat(descriptor)
    if (after.st_size, after.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
        raise Conflict(f"{member.name} changed while it was read")


def _special(directory_fd: int, base: str, status: os.stat_result, name: str, kind: str) -> bytes:
    if kind == header.SYMLINK:
        return encode(_member(status, name, kind, link=os.readlink(base, dir_fd=directory_fd)))
    if kind == header.DIRECTORY:
        member = _member(status, name.rstrip("/") + "/", kind)
        return encode(_with_xattrs(member, f"/proc/self/fd/{directory_fd}/{base}"))
    device = (os.major(status.st_rdev), os.minor(status.st_rdev))
    return encode(_member(status, name, kind, device=device))


def _with_xattrs(member: Member, target: int | str) -> Member:
    """With the attributes that travel, and the owner that a one-id store has noted."""
    xattrs = []
    for key in sorted(_names(target)):
        if key == OWNER:
            uid, _, gid = _value(target, key).decode("ascii", "replace").partition(":")
            if uid.isdigit() and gid.isdigit():
                member = member._replace(uid=int(uid), gid=int(gid))
        elif key.startswith(_KEPT_XATTRS) and not key.startswith(_OWN_XATTRS):
            xattrs.append((key, _value(target, key)))
    return member._replace(xattrs=tuple(xattrs))


def _names(target: int | str) -> list[str]:
    try:
        return os.listxattr(target, follow_symlinks=isinstance(target, int))
    except OSError as error:
        if error.errno not in _NO_XATTRS:
            raise
        return []


def _value(target: int | str, key: str) -> bytes:
    try:
        return os.getxattr(target, key, follow_symlinks=isinstance(target, int))
    except OSError as error:
        if error.errno not in _NO_XATTRS:
            raise
        return b""
