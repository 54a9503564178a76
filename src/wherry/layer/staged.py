"""A tar stream into a directory of a root, whole or not at all.

The members go into a new directory beside their target (on the same file system, so a rename moves
them) and into place when the archive has come to its end. What stands in their way is looked for
before anything moves. A directory that is there already is kept and its content is merged, name by
name; each file is the old one or the new one.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from wherry.kit import failpoints
from wherry.kit.errors import Conflict, WherryError
from wherry.layer.archive import Unpacking, folder_at, unpack_below
from wherry.layer.dress import OWNER
from wherry.layer.errors import NotReplaceable, of_member
from wherry.linux.tree import remove_tree

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
PREFIX = ".wherry-cp-"

Announce = Callable[[str, str], None]
"""Told the folder and the name of the stage before it is made, for cleaning up after a crash."""


class _Pair(NamedTuple):
    """A staged directory and the one it goes into, as descriptors; the path is for messages."""

    staged: int
    target: int
    path: str


def write(
    root_fd: int, path: str, stream: BinaryIO, how: Unpacking, announce: Announce
) -> tuple[str, ...]:
    """Like `archive.write`; nothing is changed where it raises. Raises Conflict as well.

    (Only a rename that fails in the midst of a merge, for which the kernel has few reasons left,
    leaves some files new and some old.)
    """
    folder, handle = folder_at(root_fd, path)
    name = f"{PREFIX}{secrets.token_hex(6)}"
    announce(folder, name)
    try:
        os.mkdir(name, 0o700, dir_fd=handle)
        try:
            below = f"{folder.rstrip('/')}/{name}"
            rooted, skipped = unpack_below(root_fd, below, stream, how._replace(whole=True))
            failpoints.reach("cp.staged")
            _settle(handle, name, folder, how, rooted=rooted)
        finally:
            remove_tree(handle, name)
    except OSError as error:
        known = of_member(error, path)
        if known is None:
            raise
        raise known from error
    finally:
        os.close(handle)
    return skipped


def discard(root_fd: int, folder: str, name: str) -> None:
    """Remove a stage that a crash has left; what is gone is fine."""
    try:
        _, handle = folder_at(root_fd, folder)
    except WherryError:
        return
    try:
        remove_tree(handle, name)
    finally:
        os.close(handle)


def _settle(handle: int, name: str, folder: str, how: Unpacking, *, rooted: bool) -> None:
    staged = os.open(name, _FOLDER, dir_fd=handle)
    try:
        pair = _Pair(staged, handle, folder.rstrip("/"))
        _check(pair, how.no_overwrite_dir_non_dir, os.fstat(staged).st_dev)
        status = os.fstat(staged)
        _merge(pair)
        if rooted:
            _dress_folder(staged, handle, status)
    finally:
        os.close(staged)


def _dress_folder(staged: int, handle: int, status: os.stat_result) -> None:
    """`handle` is one that only names the folder (O_PATH)."""
    target = os.open(".", _FOLDER, dir_fd=handle)
    try:
        _dress(staged, target, status)
    finally:
        os.close(target)


def _check(pair: _Pair, strict: bool, device: int) -> None:
    """Raises NotReplaceable, and Conflict for a mount in the way (a rename cannot cross it)."""
    for base, found, there in _both(pair):
        path = f"{pair.path}/{base}"
        if there is None:
            continue
        if there.st_dev != device:
            raise Conflict(f"{path} is on another mount: copy into it by a path of its own")
        folders = stat.S_ISDIR(found.st_mode), stat.S_ISDIR(there.st_mode)
        if strict and folders == (True, False):
            raise NotReplaceable(f'cannot overwrite non-directory "{path}" with directory')
        if strict and folders == (False, True):
            raise NotReplaceable(f'cannot overwrite directory "{path}" with non-directory')
        if folders == (True, True):
            with _opened(pair, base) as below:
                _check(below, strict, device)


def _merge(pair: _Pair) -> None:
    for base, found, there in _both(pair):
        is_folder = stat.S_ISDIR(found.st_mode)
        if there is not None and is_folder and stat.S_ISDIR(there.st_mode):
            with _opened(pair, base) as below:
                status = os.fstat(below.staged)  # moving things out changes its time
                _merge(below)
                _dress(below.staged, below.target, status)
            continue
        if there is not None and (is_folder or stat.S_ISDIR(there.st_mode)):
            remove_tree(pair.target, base)
        os.rename(base, base, src_dir_fd=pair.staged, dst_dir_fd=pair.target)


def _both(pair: _Pair) -> Iterator[tuple[str, os.stat_result, os.stat_result | None]]:
    """What is staged, and what has the same name in the target."""
    for base in sorted(os.listdir(pair.staged)):
        found = os.stat(base, dir_fd=pair.staged, follow_symlinks=False)
        try:
            there = os.stat(base, dir_fd=pair.target, follow_symlinks=False)
        except FileNotFoundError:
            yield base, found, None
        else:
            yield base, found, there


@contextlib.contextmanager
def _opened(pair: _Pair, base: str) -> Iterator[_Pair]:
    """The pair below."""
    staged = os.open(base, _FOLDER, dir_fd=pair.staged)
    try:
        target = os.open(base, _FOLDER, dir_fd=pair.target)
        try:
            yield _Pair(staged, target, f"{pair.path}/{base}")
        finally:
            os.close(target)
    finally:
        os.close(staged)


def _dress(source: int, target: int, status: os.stat_result) -> None:
    """Owner, mode, attributes and times of a staged directory for the one that stays."""
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    names = [name for name in os.listxattr(source) if name.startswith(("user.", "security.cap"))]
    if OWNER in os.listxattr(target) and OWNER not in names:
        os.removexattr(target, OWNER)
    for name in names:
        if not name.startswith("user.overlay."):
            os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(status.st_mtime_ns, status.st_mtime_ns))
