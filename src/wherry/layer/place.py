"""Where members go: names made relative, and directories resolved inside a root by descriptors."""

import errno
import os
from collections.abc import Callable

from wherry.layer.errors import BrokenArchive
from wherry.linux.path import open_in_root

_PATH_MAX = 4096
_DOTS = ("", ".", "..")
_HANDLE = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC

MakeDirectory = Callable[[int, str, str], None]
"""Makes a directory that an archive forgot: (parent descriptor, name, path in the root)."""


def clean(name: str) -> str:
    """A member's name without `.`, `..`, leading and double slashes; "" is the root itself.

    Raises BrokenArchive where `..` would leave the root, and for names no system call takes.
    """
    if len(name) >= _PATH_MAX:
        raise BrokenArchive(f"a name of {len(name)} characters is too long: {name[:80]!r}…")
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            if not parts:
                raise BrokenArchive(f"{name[:300]!r} is outside of the archive's root")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


class Place:
    """Keeps the directory of the last member open; a change of directory is one openat2."""

    __slots__ = ("_given", "_make", "_prefix", "_root_fd", "directory", "fd")

    def __init__(self, root_fd: int, prefix: str, make: MakeDirectory) -> None:
        self._root_fd = root_fd
        self._prefix = prefix.strip("/")
        self._make = make
        self._given: str | None = None
        self.fd = -1
        self.directory = ""

    def locate(self, name: str) -> str:
        """Open the member's directory as `fd`; its name in there, "" for the place itself."""
        head, _, base = name.rpartition("/")
        if head == self._given and base not in _DOTS:
            return base
        path = clean(name)
        directory, _, last = path.rpartition("/")
        if directory != self.directory or self.fd < 0:
            self._enter(directory)
        # A member beside this one has the same head; after `a/b/` or `a/..` nothing is known.
        self._given = head if last and last == base else None
        return last

    def path(self, base: str) -> str:
        """The clean path of a member of the present directory, relative to the place."""
        return f"{self.directory}/{base}" if self.directory else base

    def full(self, base: str) -> str:
        """The absolute path in the root, for people."""
        return "/" + self._join(self.path(base))

    def open(self, path: str, flags: int) -> int:
        """Open a clean path of the place inside the root."""
        return open_in_root(self._root_fd, self._join(path), flags)

    def close(self) -> None:
        """Close the kept descriptor."""
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def _join(self, path: str) -> str:
        if self._prefix:
            return f"{self._prefix}/{path}" if path else self._prefix
        return path or "."

    def _enter(self, directory: str) -> None:
        try:
            following = self.open(directory, _HANDLE)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise
            following = self._make_all(directory)
        self.close()
        self.fd = following
        self.directory = directory

    def _make_all(self, directory: str) -> int:
        """Make what is missing of the way, one directory after the other."""
        current = self.open("", _HANDLE)
        done = ""
        for name in directory.split("/"):
            done = f"{done}/{name}" if done else name
            try:
                following = self._step(current, name, done)
            finally:
                os.close(current)
            current = following
        return current

    def _step(self, parent_fd: int, name: str, path: str) -> int:
        try:
            return self.open(path, _HANDLE)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise
        self._make(parent_fd, name, path)
        return self.open(path, _HANDLE)
