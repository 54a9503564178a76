"""Unpacking a container's tar stream on this machine, never outside the target folder.

The archive comes from a container that may be hostile, so every name is resolved by the kernel
inside the folder (openat2, RESOLVE_IN_ROOT): neither `..` nor a link the archive itself made
leads out of it.
"""

import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator

from wherry.cli.command import Failed
from wherry.kit.errors import Corrupt
from wherry.linux.path import make_directories_in_root, open_in_root

BLOCK = 1 << 20
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Rename = Callable[[str], str]


class _Stream(io.RawIOBase):
    """Pieces as a file that tarfile reads."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._held = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; all of a piece where it is smaller."""
        if not self._held:
            self._held = next(self._pieces, b"")
        if size < 0 or len(self._held) <= size:
            taken, self._held = self._held, b""
        else:
            taken, self._held = self._held[:size], self._held[size:]
        return taken


def unpack(pieces: Iterable[bytes], folder: str, rename: Rename, *, owners: bool) -> None:
    """Unpack a tar stream into a folder. Raises Failed, Corrupt, OSError."""
    root = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _Unpacker(root, rename, owners=owners).run(iter(pieces))
    finally:
        os.close(root)


class _Unpacker:
    def __init__(self, root: int, rename: Rename, *, owners: bool) -> None:
        self._root = root
        self._rename = rename
        self._owners = owners
        self._folders: list[tuple[str, tarfile.TarInfo]] = []

    def run(self, pieces: Iterator[bytes]) -> None:
        """All members; the times of folders last, for what goes into them changes them."""
        try:
            with tarfile.open(
                fileobj=_Stream(pieces), mode="r|", bufsize=BLOCK, errorlevel=2
            ) as tar:
                for member in tar:
                    self._place(tar, member)
        except tarfile.TarError as error:
            raise Corrupt(f"broken archive from the container: {error}") from error
        for name, member in reversed(self._folders):
            self._finish_folder(name, member)

    def _place(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        name = self._rename(member.name).strip("/")
        if member.isdir():
            self._folder(name, member)
            return
        parent_path, base = os.path.split(name)
        if base in ("", ".", ".."):
            raise Failed(f"the archive names {member.name!r}, which is no file name")
        parent = make_directories_in_root(self._root, parent_path or ".")
        try:
            self._clear(parent, base, name)
            self._make(tar, member, parent, base)
            self._finish(member, parent, base)
        finally:
            os.close(parent)

    def _folder(self, name: str, member: tarfile.TarInfo) -> None:
        parent_path, base = os.path.split(name)
        if base in ("", "."):
            return
        parent = make_directories_in_root(self._root, parent_path or ".")
        try:
            found = _status(parent, base)
            if found is not None and not stat.S_ISDIR(found.st_mode):
                raise Failed(f'cannot overwrite non-directory "{name}" with directory')
            if found is None:
                os.mkdir(base, 0o700, dir_fd=parent)
        finally:
            os.close(parent)
        self._folders.append((name, member))

    def _clear(self, parent: int, base: str, name: str) -> None:
        """Make room for a file. Raises Failed where a directory is in its place."""
        found = _status(parent, base)
        if found is None:
            return
        if stat.S_ISDIR(found.st_mode):
            raise Failed(f'cannot overwrite directory "{name}" with non-directory')
        os.unlink(base, dir_fd=parent)

    def _make(self, tar: tarfile.TarFile, member: tarfile.TarInfo, parent: int, base: str) -> None:
        if member.issym():
            os.symlink(member.linkname, base, dir_fd=parent)
        elif member.islnk():
            self._link(member, parent, base)
        elif member.isfile():
            _write(tar, member, parent, base)
        elif member.isfifo():
            os.mkfifo(base, 0o600, dir_fd=parent)
        elif member.ischr() or member.isblk():
            kind = stat.S_IFCHR if member.ischr() else stat.S_IFBLK
            device = os.makedev(member.devmajor, member.devminor)
            os.mknod(base, kind | 0o600, device, dir_fd=parent)
        else:
            raise Failed(f"the archive has {member.name!r} of unknown type {member.type!r}")

    def _link(self, member: tarfile.TarInfo, parent: int, base: str) -> None:
        folder, target = os.path.split(self._rename(member.linkname).strip("/"))
        source = open_in_root(self._root, folder or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.link(target, base, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(source)

    def _finish(self, member: tarfile.TarInfo, parent: int, base: str) -> None:
        """Owner, then mode (a change of owner clears set-uid), then times."""
        if member.islnk():
            return
        if self._owners:
            os.chown(base, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)
        if not member.issym():
            os.chmod(base, member.mode & 0o7777, dir_fd=parent)
        times = (member.mtime, member.mtime)
        os.utime(base, times, dir_fd=parent, follow_symlinks=False)

    def _finish_folder(self, name: str, member: tarfile.TarInfo) -> None:
        parent_path, base = os.path.split(name)
        parent = make_directories_in_root(self._root, parent_path or ".")
        try:
            found = _status(parent, base)
            if found is not None and stat.S_ISDIR(found.st_mode):
                self._finish(member, parent, base)
        finally:
            os.close(parent)


def _status(parent: int, base: str) -> os.stat_result | None:
    try:
        return os.stat(base, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, parent: int, base: str) -> None:
    source = tar.extractfile(member)
    assert source is not None
    descriptor = os.open(base, _NEW, 0o600, dir_fd=parent)
    try:
        while data := source.read(BLOCK):
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)
