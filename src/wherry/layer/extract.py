"""Entries of an archive become files below a directory, each by descriptors inside the root."""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Sequence
from typing import NamedTuple

from wherry.layer import header
from wherry.layer.dress import Dresser
from wherry.layer.errors import BrokenArchive, NotReplaceable, of_member
from wherry.layer.place import Place, clean
from wherry.layer.reader import Entry, TarReader
from wherry.layer.whiteout import Whiteouts, handle
from wherry.linux.path import open_in_root
from wherry.linux.tree import remove_tree

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NODES = {
    header.CHARACTER: stat.S_IFCHR,
    header.BLOCK_DEVICE: stat.S_IFBLK,
    header.FIFO: stat.S_IFIFO,
}


class Policy(NamedTuple):
    """How to unpack.

    owners: chown to the archive's owners; else they are noted in an xattr.
    chown_to: these owners instead of the archive's.
    strict_kinds: refuse to replace a directory by something else and the reverse.
    whiteouts: None where `.wh.` names are ordinary names.
    lowers: directories of the layers below, uppermost first, for forgotten parents' metadata.
    """

    owners: bool = True
    chown_to: tuple[int, int] | None = None
    strict_kinds: bool = False
    whiteouts: Whiteouts | None = None
    lowers: Sequence[str] = ()


class Extractor:
    """Unpacks entries below `prefix` of a root. `finish` sets the directories' modes and times."""

    def __init__(self, root_fd: int, prefix: str, policy: Policy) -> None:
        self._policy = policy
        self._whiteouts = policy.whiteouts
        self.skipped: list[str] = []
        self._dresser = Dresser(policy.owners, policy.chown_to, self.skipped)
        self._place = Place(root_fd, prefix, self._make_forgotten)
        self._folders: dict[str, tuple[int, int]] = {}
        self.entries = 0
        self.content_size = 0
        self.rooted = False
        self.forgotten = 0

    def unpack(self, reader: TarReader) -> None:
        """All entries. Raises BrokenArchive, NotReplaceable, Unavailable, NotPermitted."""
        name = ""
        try:
            for entry in reader:
                name = entry.name
                self._place_entry(entry, reader)
                self.entries += 1
            name = ""
            self._finish()
        except OSError as error:
            known = of_member(error, name)
            if known is None:
                raise
            raise known from error

    def close(self) -> None:
        """Close the kept directory."""
        self._place.close()

    def _place_entry(self, entry: Entry, reader: TarReader) -> None:
        place = self._place
        base = place.locate(entry.name)
        if not base:
            self._root(entry)
            return
        if self._is_whiteout(base):
            return
        kind = entry.kind
        if kind == header.REGULAR:
            self._file(base, entry, reader)
        elif kind == header.DIRECTORY:
            self._directory(base, entry)
        elif kind == header.SYMLINK:
            self._symlink(base, entry)
        elif kind == header.HARD_LINK:
            self._hard_link(base, entry)
        elif kind in _NODES:
            self._node(base, entry)
        else:
            raise BrokenArchive(f"unknown tar member type {kind!r} of {entry.name[:300]!r}")
        if self._whiteouts is not None:
            self._whiteouts.keep(place.path(base))

    def _is_whiteout(self, base: str) -> bool:
        if base[0] != "." or self._whiteouts is None:
            return False
        return handle(self._whiteouts, self._place.fd, base, self._place.directory)

    def _file(self, base: str, entry: Entry, reader: TarReader) -> None:
        directory_fd, mode = self._place.fd, entry.mode & 0o777
        try:
            descriptor = os.open(base, _NEW, mode, dir_fd=directory_fd)
        except FileExistsError:
            self._make_way(base)
            descriptor = os.open(base, _NEW, mode, dir_fd=self._place.fd)
        self.content_size += entry.real_size
        try:
            reader.copy_to(descriptor, entry)
            self._dresser.file(descriptor, entry)
        finally:
            os.close(descriptor)

    def _symlink(self, base: str, entry: Entry) -> None:
        if not entry.link:
            raise BrokenArchive(f"symbolic link {entry.name[:300]!r} has no target")
        self._create(base, lambda fd: os.symlink(entry.link, base, dir_fd=fd))
        self.content_size += len(os.fsencode(entry.link))
        self._dresser.other(self._place.fd, base, entry, True)

    def _node(self, base: str, entry: Entry) -> None:
        mode, device = _NODES[entry.kind] | entry.mode, os.makedev(*entry.device)
        try:
            self._create(base, lambda fd: os.mknod(base, mode, device, dir_fd=fd))
        except PermissionError:
            if entry.kind == header.FIFO:
                raise
            major, minor = entry.device
            self.skipped.append(f"{entry.name}: device {major}:{minor} (needs CAP_MKNOD)")
            return
        self._dresser.other(self._place.fd, base, entry, False)

    def _hard_link(self, base: str, entry: Entry) -> None:
        target = clean(entry.link)
        folder, _, name = target.rpartition("/")
        if not name or target == self._place.path(base):
            raise BrokenArchive(f"hard link {entry.name[:300]!r} to itself or to no file")
        source = self._place.open(folder, os.O_PATH | os.O_DIRECTORY)
        try:
            self._create(
                base,
                lambda fd: os.link(
                    name, base, src_dir_fd=source, dst_dir_fd=fd, follow_symlinks=False
                ),
            )
        finally:
            os.close(source)

    def _create(self, base: str, make: Callable[[int], None]) -> None:
        try:
            make(self._place.fd)
        except FileExistsError:
            self._make_way(base)
            make(self._place.fd)

    def _make_way(self, base: str) -> None:
        """Remove what has the name: the later member counts, as in Docker."""
        fd = self._place.fd
        is_folder = stat.S_ISDIR(os.stat(base, dir_fd=fd, follow_symlinks=False).st_mode)
        if is_folder and self._policy.strict_kinds:
            raise NotReplaceable(
                f'cannot overwrite directory "{self._place.full(base)}" with non-directory'
            )
        remove_tree(fd, base)
        if is_folder:
            self._forget_folders(self._place.path(base))

    def _forget_folders(self, path: str) -> None:
        below = path + "/"
        for known in [name for name in self._folders if name == path or name.startswith(below)]:
            del self._folders[known]

    def _directory(self, base: str, entry: Entry) -> None:
        fd, hidden = self._place.fd, False
        existed = not _mkdir(fd, base)
        if existed and not _is_folder(fd, base):
            hidden = self._unhide(fd, base)
            if not hidden:
                self._replace_by_folder(base)
            existed = not _mkdir(fd, base)
        folder = os.open(base, _FOLDER, dir_fd=fd)
        try:
            if hidden and self._whiteouts is not None:
                self._whiteouts.dressed(folder)
            self._dresser.directory(folder, entry, existed)
        finally:
            os.close(folder)
        self._folders[self._place.path(base)] = (entry.mode, entry.mtime)

    def _unhide(self, fd: int, name: str) -> bool:
        """Whether a whiteout had the name; it is gone now."""
        return self._whiteouts is not None and self._whiteouts.replaced(fd, name)

    def _replace_by_folder(self, base: str) -> None:
        if self._policy.strict_kinds:
            raise NotReplaceable(
                f'cannot overwrite non-directory "{self._place.full(base)}" with directory'
            )
        remove_tree(self._place.fd, base)

    def _root(self, entry: Entry) -> None:
        """The place itself: metadata only."""
        if entry.kind != header.DIRECTORY:
            raise BrokenArchive(f"{entry.name[:300]!r} is the root and no directory")
        self.rooted = True
        folder = self._place.open("", os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._dresser.directory(folder, entry, True)
        finally:
            os.close(folder)
        self._folders[""] = (entry.mode, entry.mtime)

    def _make_forgotten(self, parent_fd: int, name: str, path: str) -> None:
        """A directory that no member brought: as in the layers below, else root's with 0755."""
        self.forgotten += 1
        hidden = self._unhide(parent_fd, name)
        os.mkdir(name, 0o755, dir_fd=parent_fd)
        folder = os.open(name, _FOLDER, dir_fd=parent_fd)
        try:
            if hidden and self._whiteouts is not None:
                self._whiteouts.dressed(folder)
            below = None if hidden else _lower_status(self._policy.lowers, path)
            if below is None:
                os.fchmod(folder, 0o755)
                return
            if self._policy.owners and (below.st_uid or below.st_gid):
                os.fchown(folder, below.st_uid, below.st_gid)
            self._folders[path] = (stat.S_IMODE(below.st_mode), below.st_mtime_ns)
        finally:
            os.close(folder)

    def _finish(self) -> None:
        for path, (mode, mtime) in reversed(self._folders.items()):
            try:
                folder = self._place.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            except (FileNotFoundError, NotADirectoryError):
                continue  # a later member took its place
            except OSError as error:
                if error.errno != errno.ELOOP:
                    raise
                continue
            try:
                self._dresser.finish_directory(folder, mode, mtime)
            finally:
                os.close(folder)


def _mkdir(fd: int, base: str) -> bool:
    """Whether it was made (and not there before); the mode is set at the end."""
    try:
        os.mkdir(base, 0o700, dir_fd=fd)
    except FileExistsError:
        return False
    return True


def _is_folder(fd: int, base: str) -> bool:
    return stat.S_ISDIR(os.stat(base, dir_fd=fd, follow_symlinks=False).st_mode)


def _lower_status(lowers: Sequence[str], path: str) -> os.stat_result | None:
    """The uppermost lower directory of that path."""
    for lower in lowers:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            root = os.open(lower, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                found = open_in_root(root, path, os.O_PATH | os.O_NOFOLLOW)
            finally:
                os.close(root)
            try:
                status = os.fstat(found)
            finally:
                os.close(found)
            if stat.S_ISDIR(status.st_mode):
                return status
    return None
