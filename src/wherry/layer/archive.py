"""A path inside a container's root as a tar stream, and a tar stream into it (`docker cp`).

The container may be running and hostile: everything is resolved by descriptors inside the root,
and what was once resolved is not looked up by name again.
"""

import os
import stat as modes
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from wherry.kit.errors import InvalidInput, NotFound, NotPermitted, WherryError
from wherry.layer import gomode
from wherry.layer.errors import BrokenArchive
from wherry.layer.extract import Extractor, Policy
from wherry.layer.reader import TarReader
from wherry.layer.tarwriter import END, Links, failure, file_pieces
from wherry.linux.mount import (
    CGROUP2_SUPER_MAGIC,
    CGROUP_SUPER_MAGIC,
    DEVPTS_SUPER_MAGIC,
    PROC_SUPER_MAGIC,
    SYSFS_MAGIC,
    filesystem_type,
)
from wherry.linux.path import open_in_root
from wherry.linux.tree import Descent, open_directory
from wherry.oci.compression import plain_pieces, read_pieces

_HANDLE = os.O_PATH | os.O_CLOEXEC
_GATHER = 1 << 20
_VIRTUAL = frozenset(
    (
        PROC_SUPER_MAGIC,
        SYSFS_MAGIC,
        DEVPTS_SUPER_MAGIC,
        CGROUP_SUPER_MAGIC,
        CGROUP2_SUPER_MAGIC,
        0x19800202,  # mqueue
    )
)
_MAX_LINKS = 255  # as Docker's symlink walk


class PathStat(NamedTuple):
    """X-Docker-Container-Path-Stat: size in bytes, mode as Go's os.FileMode, mtime in ns.

    link_target: for a symbolic link the path in the root that it leads to in the end.
    """

    name: str
    size: int
    mode: int
    mtime: int
    link_target: str


class _Named(NamedTuple):
    """A path as Docker reads it: `/a/b`, what the archive calls it, and whether a link at the
    end is followed (`/a/b/`, `/a/b/.`)."""

    path: str
    name: str
    follow: bool


def _named(path: str) -> _Named:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    clean = "/" + "/".join(parts)
    last = path.rpartition("/")[2]
    name = "." if last == "." else (parts[-1] if parts else "/")
    return _Named(clean, name, last in ("", ".", ".."))


def stat(root_fd: int, path: str) -> PathStat:
    """What is at the path; the last component is not followed unless `/` or `/.` is behind it.

    Raises NotFound, NotPermitted, InvalidInput.
    """
    named = _named(path)
    handle = _open(root_fd, named, path)
    try:
        status = os.fstat(handle)
    finally:
        os.close(handle)
    target = ""
    if modes.S_ISLNK(status.st_mode):
        target = resolve(root_fd, named.path)
    mode = gomode.from_mode(status.st_mode)
    return PathStat(named.name, status.st_size, mode, status.st_mtime_ns, target)


def _open(root_fd: int, named: _Named, path: str) -> int:
    flags = _HANDLE | (0 if named.follow else os.O_NOFOLLOW)
    try:
        handle = open_in_root(root_fd, named.path, flags)
    except OSError as error:
        raise _told(error, path) from error
    if named.follow and not modes.S_ISDIR(os.fstat(handle).st_mode):
        os.close(handle)
        raise InvalidInput(f"{path}: not a directory")
    return handle


def _told(error: OSError, path: str) -> WherryError:
    if isinstance(error, FileNotFoundError):
        return NotFound(f"Could not find the file {path} in container")
    if isinstance(error, PermissionError):
        return NotPermitted(f"{path}: {error.strerror}")
    return InvalidInput(f"{path}: {error.strerror}")


def resolve(root_fd: int, path: str) -> str:
    """The path with all symbolic links followed inside the root, as far as they lead.

    Raises InvalidInput where they go round in circles.
    """
    pending = [part for part in reversed(path.split("/")) if part]
    done: list[str] = []
    links = 0
    while pending:
        part = pending.pop()
        if part == "..":
            del done[-1:]
            continue
        target = _link_text(root_fd, "/" + "/".join((*done, part)))
        if target is None:
            done.append(part)
            continue
        links += 1
        if links > _MAX_LINKS:
            raise InvalidInput(f"{path}: too many symbolic links")
        if target.startswith("/"):
            done = []
        pending += [piece for piece in reversed(target.split("/")) if piece not in ("", ".")]
    return "/" + "/".join(done)


def _link_text(root_fd: int, path: str) -> str | None:
    """A link's text; None where there is no link (or nothing at all)."""
    try:
        handle = open_in_root(root_fd, path, _HANDLE | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if not modes.S_ISLNK(os.fstat(handle).st_mode):
            return None
        return os.readlink("", dir_fd=handle)
    finally:
        os.close(handle)


def read(root_fd: int, path: str, *, exact: bool = False) -> Iterator[bytes]:
    """A tar stream of the file or tree at the path, in pieces of about a megabyte.

    Names begin with the path's base name, or with `./` where the path ends in `/.`. Sockets are
    left out. Raises NotFound, NotPermitted, InvalidInput before the first piece.
    `exact`: see `tarwriter.file_pieces`; what goes wrong after the first piece is said in the
    stream (`tarwriter.failure`), which has no end then.
    """
    named = _named(path)
    handle = _open(root_fd, named, path)
    try:
        is_folder = modes.S_ISDIR(os.fstat(handle).st_mode)
        if is_folder:
            walk = Descent(open_directory(handle, ".", True), mounts=True)
        else:
            folder, base = _parent(root_fd, named, path)
    finally:
        os.close(handle)
    if is_folder:
        prefix = "" if named.name == "/" else named.name
        pieces = _tree(walk, prefix, exact)
    else:
        pieces = _single(folder, base, exact)
    return gathered(_confessing(pieces) if exact else pieces)


def _confessing(pieces: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from pieces
    except (WherryError, OSError) as error:
        yield failure(str(error))


def _parent(root_fd: int, named: _Named, path: str) -> tuple[int, str]:
    folder, _, base = named.path.rpartition("/")
    try:
        return open_in_root(root_fd, folder or "/", _HANDLE | os.O_DIRECTORY), base
    except OSError as error:
        raise _told(error, path) from error


def _single(folder: int, base: str, exact: bool) -> Iterator[bytes]:
    try:
        status = os.stat(base, dir_fd=folder, follow_symlinks=False)
        if not modes.S_ISDIR(status.st_mode):
            yield from file_pieces(folder, base, status, base, {}, exact=exact)
        yield END
    finally:
        os.close(folder)


def _tree(walk: Descent, prefix: str, exact: bool) -> Iterator[bytes]:
    """The directory that `walk` is on and all in it, in order of names."""
    links: Links = {}
    try:
        yield from file_pieces(walk.fd, ".", os.fstat(walk.fd), prefix, links)
        frames = [(prefix, _names(walk.fd))]
        while frames:
            path, names = frames[-1]
            if not names:
                frames.pop()
                if frames:
                    walk.up()
                continue
            base = names.pop()
            try:
                status = os.stat(base, dir_fd=walk.fd, follow_symlinks=False)
            except FileNotFoundError:
                continue
            name = f"{path}/{base}"
            yield from file_pieces(walk.fd, base, status, name, links, exact=exact)
            if modes.S_ISDIR(status.st_mode) and _enter(walk, base):
                frames.append((name, _names(walk.fd)))
        yield END
    finally:
        walk.close()


def _names(fd: int) -> list[str]:
    return sorted(os.listdir(fd), reverse=True)


def _enter(walk: Descent, base: str) -> bool:
    """Go down; False where it was just replaced, and for the kernel's own file systems."""
    device = os.fstat(walk.fd).st_dev
    try:
        walk.down(base)
    except OSError:
        return False
    if os.fstat(walk.fd).st_dev != device and filesystem_type(walk.fd) in _VIRTUAL:
        walk.up()
        return False
    return True


def gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Small pieces joined, large ones as they are."""
    kept: list[bytes] = []
    size = 0
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size >= _GATHER:
            yield b"".join(kept) if len(kept) > 1 else piece
            kept, size = [], 0
    if kept:
        yield b"".join(kept)


class Unpacking(NamedTuple):
    """How a tar stream is unpacked.

    copy_uid_gid: give everything to this owner (the container's user) instead of the archive's.
    owners: False where the store has one id only; the archive's owners are noted then.
    whole: insist on the archive's end mark.
    """

    no_overwrite_dir_non_dir: bool = False
    copy_uid_gid: tuple[int, int] | None = None
    owners: bool = True
    whole: bool = False


def write(root_fd: int, path: str, stream: BinaryIO, how: Unpacking) -> tuple[str, ...]:
    """Unpack a tar stream (plain or compressed) into a directory of the root.

    Returns what could not be had and why. Raises NotFound (no such directory), InvalidInput
    (`path` is no directory, a broken or hostile archive), Unavailable (disk full).
    """
    folder, handle = folder_at(root_fd, path)
    os.close(handle)
    return unpack_below(root_fd, folder, stream, how)[1]


def folder_at(root_fd: int, path: str) -> tuple[str, int]:
    """A directory as its path without links and as a descriptor. Raises as `write`."""
    folder = resolve(root_fd, _named(path).path)
    handle = _open(root_fd, _Named(folder, "", False), path)
    if not modes.S_ISDIR(os.fstat(handle).st_mode):
        os.close(handle)
        raise InvalidInput("extraction point is not a directory")
    return folder, handle


def unpack_below(
    root_fd: int, folder: str, stream: BinaryIO, how: Unpacking
) -> tuple[bool, tuple[str, ...]]:
    """Whether the archive names the folder itself too, and what could not be had."""
    policy = Policy(how.owners, how.copy_uid_gid, how.no_overwrite_dir_non_dir)
    extractor = Extractor(root_fd, folder, policy)
    pieces = plain_pieces(read_pieces(stream, 1 << 20), BrokenArchive)
    try:
        extractor.unpack(TarReader(pieces, whole=how.whole))
    finally:
        extractor.close()
    return extractor.rooted, tuple(extractor.skipped)
