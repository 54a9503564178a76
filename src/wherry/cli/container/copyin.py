"""A path of this machine as a tar stream, piece by piece."""

import os
import stat
import tarfile
from collections.abc import Callable, Iterator

from wherry.kit.errors import Unavailable

BLOCK = 1 << 20
_END = b"\0" * (2 * tarfile.BLOCKSIZE)

Rename = Callable[[str], str]


class Packer:
    """Walks a tree and writes its members; a second name of a file becomes a hard link."""

    def __init__(self, rename: Rename) -> None:
        self._rename = rename
        self._seen: dict[tuple[int, int], str] = {}

    def pack(self, path: str, name: str) -> Iterator[bytes]:
        """The tree at `path` under `name`, and the end of the archive. Raises OSError."""
        yield from self._member(path, name)
        yield _END

    def _member(self, path: str, name: str) -> Iterator[bytes]:
        found = os.lstat(path)
        if stat.S_ISSOCK(found.st_mode):
            return
        header = self._header(path, found, name)
        yield header.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        if header.isreg() and header.size:
            yield from _content(path, header.size)
        if stat.S_ISDIR(found.st_mode):
            for child in sorted(os.listdir(path)):
                yield from self._member(os.path.join(path, child), f"{name}/{child}")

    def _header(self, path: str, found: os.stat_result, name: str) -> tarfile.TarInfo:
        header = tarfile.TarInfo(self._rename(name))
        header.mode = stat.S_IMODE(found.st_mode)
        header.uid, header.gid = found.st_uid, found.st_gid
        header.mtime = int(found.st_mtime)
        self._set_kind(header, path, found)
        return header

    def _set_kind(self, header: tarfile.TarInfo, path: str, found: os.stat_result) -> None:
        mode = found.st_mode
        if stat.S_ISDIR(mode):
            header.type = tarfile.DIRTYPE
        elif stat.S_ISLNK(mode):
            header.type, header.linkname = tarfile.SYMTYPE, os.readlink(path)
        elif stat.S_ISFIFO(mode):
            header.type = tarfile.FIFOTYPE
        elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            header.type = tarfile.CHRTYPE if stat.S_ISCHR(mode) else tarfile.BLKTYPE
            header.devmajor, header.devminor = os.major(found.st_rdev), os.minor(found.st_rdev)
        else:
            self._set_file(header, found)

    def _set_file(self, header: tarfile.TarInfo, found: os.stat_result) -> None:
        key = (found.st_dev, found.st_ino)
        if found.st_nlink > 1 and key in self._seen:
            header.type, header.linkname = tarfile.LNKTYPE, self._seen[key]
            return
        self._seen[key] = header.name
        header.size = found.st_size


def _content(path: str, size: int) -> Iterator[bytes]:
    """Exactly `size` bytes of a file, padded to a block. Raises Unavailable if it shrank."""
    left = size
    with open(path, "rb", buffering=0) as file:
        while left:
            data = file.read(min(left, BLOCK))
            if not data:
                raise Unavailable(f"{path} became shorter while it was copied")
            left -= len(data)
            yield data
    if size % tarfile.BLOCKSIZE:
        yield b"\0" * (tarfile.BLOCKSIZE - size % tarfile.BLOCKSIZE)
