"""Snapshots stacked by overlayfs: as root, or in a user namespace with `userxattr`.

Source: kernel, Documentation/filesystems/overlayfs.rst. `index=off` and `metacopy=off` keep upper
directories complete and movable; `redirect_dir=nofollow` keeps a layer's xattrs from pointing
elsewhere (a directory's rename says EXDEV, as in Docker).
"""

import os
from collections.abc import Iterator

from wherry.kit.errors import Conflict, Unsupported
from wherry.linux.mount import Mount
from wherry.linux.tree import Usage, remove_path
from wherry.snapshot.shelf import Record, Shelf
from wherry.snapshot.snapshotter import Difference, Info, Style

MAX_LAYERS = 500  # OVL_MAX_STACK in the kernel
_APPENDING = (6, 7)  # first kernel with `lowerdir+`, which has no limit of one page for all
FIXED_OPTIONS = ("index=off", "metacopy=off", "redirect_dir=nofollow")


class Overlay:
    """One directory a layer, in a root that only this process changes."""

    def __init__(self, root: str, userxattr: bool) -> None:
        self._root = os.path.abspath(root)
        self._userxattr = userxattr
        self._shelf = Shelf(self._root)
        self._empty = f"{self._root}/empty"
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
        status = os.stat(self._upper(self._shelf.find(parent).number))
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(upper, status.st_uid, status.st_gid)
        os.chmod(upper, status.st_mode & 0o7777)

    def view(self, key: str, parent: str) -> tuple[Mount, ...]:
        """No directories of its own."""
        return self._mounts(self._shelf.add("view", key, parent, lambda _folder: None))

    def mounts(self, key: str) -> tuple[Mount, ...]:
        """One bind (a lowest layer) or one overlay."""
        return self._mounts(self._shelf.find(key))

    def _mounts(self, record: Record) -> tuple[Mount, ...]:
        if record.kind == "committed":
            raise Conflict("a committed snapshot is not mounted itself: make a view of it")
        if record.parent is None:
            return (Mount("bind", self._upper(record.number), ("bind", "rw")),)
        lowers = [self._upper(number) for number in self._shelf.chain(record.parent)]
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

    def _upper(self, number: int) -> str:
        return f"{self._shelf.folder(number)}/fs"

    def fill(self, key: str) -> str:
        """The upper directory."""
        record = self._shelf.find(key)
        if record.kind != "active":
            raise Conflict(f"snapshot {key} is {record.kind}: nothing can be put into it")
        return self._upper(record.number)

    def adopt(self, key: str, parent: str, *, like_parent: bool) -> None:
        """The upper directory knows nothing of what is below it."""
        record = self._shelf.adopt(key, parent)
        if like_parent:
            self._like_parent(self._upper(record.number), parent)

    def commit(self, name: str, key: str) -> None:
        """Give it its name; the work directory is of no use any more."""
        work = f"{self._shelf.folder(self._shelf.find(key).number)}/work"
        self._shelf.commit(name, key)
        remove_path(work)

    def difference(self, key: str) -> Difference:
        """The upper directory over all below it."""
        record = self._shelf.find(key)
        lowers = tuple(self._upper(number) for number in self._shelf.chain(record.parent))
        upper = self._empty if record.kind == "view" else self._upper(record.number)
        return Difference(upper, lowers, self.style)

    def stat(self, key: str) -> Info:
        """Raises NotFound."""
        return self._shelf.info(key)

    def usage(self, key: str) -> Usage:
        """Of the upper directory."""
        record = self._shelf.find(key)
        if record.kind == "view":
            return Usage(0, 0)
        return self._shelf.usage(key, self._upper(record.number))

    def remove(self, key: str) -> None:
        """Raises NotFound, Conflict."""
        self._shelf.remove(key)

    def walk(self) -> Iterator[Info]:
        """All snapshots."""
        return self._shelf.walk()

    def recover(self) -> int:
        """Remove what a crash left behind; how many things that were."""
        return self._shelf.recover()


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
