"""Snapshots stacked by overlayfs: as root, or in a user namespace with `userxattr`.

Source: kernel, Documentation/filesystems/overlayfs.rst. `index=off` and `metacopy=off` keep upper
directories complete and movable; `redirect_dir=nofollow` keeps a layer's xattrs from pointing
elsewhere (a directory's rename says EXDEV, as in Docker).
"""

import os

from wherry.kit.errors import Unsupported
from wherry.linux.mount import Mount
from wherry.linux.tree import remove_path
from wherry.snapshot.shelf import Record, Shelf
from wherry.snapshot.shelved import Shelved
from wherry.snapshot.snapshotter import Difference, Style

MAX_LAYERS = 500  # OVL_MAX_STACK in the kernel
_APPENDING = (6, 7)  # first kernel with `lowerdir+`, which has no limit of one page for all
FIXED_OPTIONS = ("index=off", "metacopy=off", "redirect_dir=nofollow")


class Overlay(Shelved):
    """One directory a layer, in a root that only this process changes."""

    def __init__(self, root: str, userxattr: bool) -> None:
        root = os.path.abspath(root)
        super().__init__(Shelf(root))
        self._userxattr = userxattr
        self._empty = f"{root}/empty"
        os.makedirs(self._empty, 0o755, exist_ok=True)
        self.recover()

    @property
    def style(self) -> Style:
        """Which xattrs mark opaque directories."""
        return "user" if self._userxattr else "trusted"

    def prepare(self, key: str, parent: str | None) -> tuple[Mount, ...]:
        """An empty upper directory with the parent root's owner and mode."""

        def build(folder: str) -> None:
            os.mkdir(f"{folder}/work", 0o700)
            os.mkdir(f"{folder}/fs", 0o755)
            self._like_parent(f"{folder}/fs", parent)

        return self._mounts(self._shelf.add("active", key, parent, build))

    def _like_parent(self, upper: str, parent: str | None) -> None:
        if parent is None:
            os.chmod(upper, 0o755)
            return
        status = os.stat(self._tree(self._shelf.find(parent).number))
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(upper, status.st_uid, status.st_gid)
        os.chmod(upper, status.st_mode & 0o7777)

    def _mounts(self, record: Record) -> tuple[Mount, ...]:
        if record.parent is None:
            return (Mount("bind", self._tree(record.number), ("bind", "rw")),)
        lowers = [self._tree(number) for number in self._shelf.chain(record.parent)]
        if len(lowers) > MAX_LAYERS:
            raise Unsupported(f"{len(lowers)} layers are more than overlayfs takes ({MAX_LAYERS})")
        if record.kind == "view":
            # Without an upper directory the kernel wants two lower ones at least.
            options = (*lower_options([*lowers, self._empty]), "ro")
        else:
            folder = self._shelf.folder(record.number)
            options = (*lower_options(lowers), f"upperdir={folder}/fs", f"workdir={folder}/work")
        more = ("userxattr",) if self._userxattr else ()
        return (Mount("overlay", "overlay", (*options, *FIXED_OPTIONS, *more)),)

    def adopt(self, key: str, parent: str, *, like_parent: bool) -> None:
        """The upper directory knows nothing of what is below it."""
        record = self._shelf.adopt(key, parent)
        if like_parent:
            self._like_parent(self._tree(record.number), parent)

    def commit(self, name: str, key: str) -> None:
        """Give it its name; the work directory is of no use any more."""
        work = f"{self._shelf.folder(self._shelf.find(key).number)}/work"
        self._shelf.commit(name, key)
        remove_path(work)

    def difference(self, key: str) -> Difference:
        """The upper directory over all below it."""
        record = self._shelf.find(key)
        lowers = tuple(self._tree(number) for number in self._shelf.chain(record.parent))
        upper = self._empty if record.kind == "view" else self._tree(record.number)
        return Difference(upper, lowers, self.style)


def lower_options(lowers: list[str], kernel: tuple[int, int] | None = None) -> tuple[str, ...]:
    """Mount options for the lower directories, uppermost first.

    Before kernel 6.7 it is one option, for which one page is all there is: `linux.mount` then
    has to shorten the paths.
    """
    if (kernel or kernel_version()) >= _APPENDING:
        return tuple(f"lowerdir+={path}" for path in lowers)
    return ("lowerdir=" + ":".join(_escape(path) for path in lowers),)


def _escape(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def kernel_version() -> tuple[int, int]:
    """(major, minor) of the running kernel."""
    major, minor = os.uname().release.split(".")[:2]
    return int(major), int("".join(digit for digit in minor if digit.isdigit()) or "0")
