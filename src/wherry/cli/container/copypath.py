"""Docker's rules for the two paths of `cp`: strings only, no input or output."""

import posixpath
import re
from typing import NamedTuple

from wherry.cli.command import Failed


class Place(NamedTuple):
    """One end of a copy: the container (empty for this machine) and the path."""

    container: str
    path: str
    host: str = ""
    """The engine: a context's name or an address; empty for the one that is in force."""


class End(NamedTuple):
    """What is known of a path before the copy."""

    path: str
    exists: bool = False
    is_directory: bool = False
    rebase: str = ""
    """The name the content shall have in the archive, where it is not the path's own."""


class Target(NamedTuple):
    """Where to unpack, and how the first component of the archive's names changes."""

    folder: str
    old: str = ""
    new: str = ""


_ADDRESS = re.compile(r"(?P<host>[a-z][a-z+]*://.*?)/(?P<container>[^/:]+):(?P<path>.*)", re.S)
_CONTEXT = re.compile(r"(?P<host>[\w][\w.+-]*)/(?P<container>[^/:]+):(?P<path>.*)", re.S | re.A)


def split(text: str) -> Place:
    """`[host/]container:path`; a path with a colon is written `./a:b` or `/a:b`.

    The host is a context's name or an address: `far/web:/x`, `tcp://far:2376/web:/x`.
    """
    if text.startswith("/"):
        return Place("", text)
    far = _ADDRESS.fullmatch(text) or _CONTEXT.fullmatch(text)
    if far is not None:
        return Place(far["container"], far["path"], far["host"])
    container, colon, path = text.partition(":")
    if not colon or container.startswith("."):
        return Place("", text)
    return Place(container, path)


def is_current(path: str) -> bool:
    """Whether the last component is `.`, which means the content of a directory."""
    return posixpath.basename(path.rstrip("/")) == "." if path.rstrip("/") else False


def asserts_directory(path: str) -> bool:
    """Whether the path says of itself that it is a directory."""
    return path.endswith("/") or is_current(path)


def cleaned(path: str) -> str:
    """Without `..` and doubled slashes."""
    return posixpath.normpath(path) if path else "."


def keep_ending(clean: str, original: str) -> str:
    """The cleaned path with the original's `/.` or `/`, which mean something to `cp`."""
    if original.endswith("/.") or original == ".":
        return clean if is_current(clean) else clean.rstrip("/") + "/."
    if original.endswith("/") and not clean.endswith("/"):
        return clean + "/"
    return clean


def entry(path: str) -> tuple[str, str]:
    """Folder and name; the name is `.` where the path ends in it."""
    clean = cleaned(path)
    if is_current(path):
        return clean, "."
    folder = posixpath.dirname(clean) or "."
    return folder, posixpath.basename(clean) or "/"


def rebased(path: str, resolved: str) -> tuple[str, str]:
    """A resolved link with the original's ending, and the name its content shall keep."""
    target = keep_ending(resolved, path)
    own, wanted = entry(target)[1], entry(path)[1]
    return target, wanted if own != wanted else ""


def target(source: End, wanted: End) -> Target:
    """Where the source's archive is unpacked. Raises Failed for what cannot be."""
    folder, name = entry(wanted.path)
    own = source.rebase or entry(source.path)[1]
    if wanted.exists and wanted.is_directory:
        return Target(wanted.path)
    if wanted.exists and source.is_directory:
        raise Failed("cannot copy directory")
    if not wanted.exists and not source.is_directory and asserts_directory(wanted.path):
        raise Failed("no such directory")
    return Target(folder, own, name)


def rename(name: str, where: Target) -> str:
    """A name of the archive as it is to be unpacked."""
    if not where.old and not where.new:
        return name
    old, new = where.old.rstrip("/"), where.new.rstrip("/")
    if not old:
        return posixpath.join(new, name.lstrip("/")) if new else name.lstrip("/")
    if name == old or name.startswith(old + "/"):
        return new + name[len(old) :]
    if old == "." and not name.startswith("/"):
        return posixpath.join(new, name)
    return name
