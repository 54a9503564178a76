"""`wherry cp`."""

import os
import posixpath
from collections.abc import Iterator

from wherry.cli.archives import blocks
from wherry.cli.command import Arity, Command, Failed
from wherry.cli.container import copypath
from wherry.cli.container.copypath import End, Place
from wherry.cli.flags import switch
from wherry.cli.session import Session, write_all
from wherry.client import containers
from wherry.client.document import Document
from wherry.kit.errors import WherryError

DIRECTORY = 1 << 31
LINK = 1 << 27
"""Go's bits of a file mode, as the stat header of the archive route has them."""


def copy(session: Session, arguments: list[str], *, archive: bool, follow_link: bool) -> None:
    """Copy files between a container and this machine; `-` is a tar stream."""
    source, wanted = (copypath.split(text) for text in arguments)
    if source.container and wanted.container:
        raise Failed("copying between containers is not supported")
    if not source.path or not wanted.path:
        raise Failed("source and destination can not be empty")
    try:
        if source.container:
            _copy_out(session, source, wanted.path, follow=follow_link, owners=archive)
        elif wanted.container:
            _copy_in(session, source.path, wanted, follow=follow_link, owners=archive)
        else:
            raise Failed("must specify at least one container source")
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        raise Failed(f"{named}{(error.strerror or str(error)).lower()}") from error


def _copy_out(session: Session, source: Place, wanted: str, *, follow: bool, owners: bool) -> None:
    path, rebase = source.path, ""
    if follow:
        path, rebase = _followed(session, source)
    found, pieces = containers.archive(session.client, source.container, path)
    if wanted == "-":
        for piece in pieces:
            write_all(1, piece)
        return
    from wherry.cli.container.copyout import unpack

    start = End(path, True, _is_directory(found), rebase)
    where = copypath.target(start, _local_target(_absolute(wanted)))
    own = copypath.entry(path)[1]

    def renamed(name: str) -> str:
        if rebase:
            name = copypath.rename(name, copypath.Target("", own, rebase))
        return copypath.rename(name, where)

    unpack(pieces, where.folder, renamed, owners=owners)


def _followed(session: Session, source: Place) -> tuple[str, str]:
    """The path that a link in the container leads to, and the name its content shall keep."""
    found = containers.path_stat(session.client, source.container, source.path)
    link = found.text("linkTarget")
    if not found.number("mode") & LINK or not link:
        return source.path, ""
    if not link.startswith("/"):
        link = posixpath.join(copypath.entry(source.path)[0], link)
    return copypath.rebased(source.path, link)


def _is_directory(found: Document) -> bool:
    return bool(found.number("mode") & DIRECTORY)


def _absolute(path: str) -> str:
    return copypath.keep_ending(os.path.abspath(path), path)


def _local_target(path: str) -> End:
    """What is at a path of this machine, links followed. Raises Failed."""
    bare = path.removesuffix("/.").rstrip("/") or "/"
    for _ in range(10):
        if not os.path.islink(bare):
            break
        bare = os.path.join(os.path.dirname(bare), os.readlink(bare))
    else:
        raise Failed(f"too many symlinks in {path}")
    if os.path.lexists(bare):
        return End(bare, True, os.path.isdir(bare))
    folder = os.path.dirname(bare)
    if not os.path.isdir(folder):
        raise Failed(f'invalid output path: directory "{folder}" does not exist')
    return End(copypath.keep_ending(bare, path))


def _copy_in(session: Session, path: str, wanted: Place, *, follow: bool, owners: bool) -> None:
    end = _container_target(session, wanted)
    if path == "-":
        if not end.is_directory:
            raise Failed(f'destination "{wanted.container}:{wanted.path}" must be a directory')
        _send(session, wanted.container, end.path, blocks("-"), owners=owners)
        return
    from wherry.cli.container.copyin import Packer

    source = _local_source(_absolute(path), follow=follow)
    where = copypath.target(source, end)
    name = source.rebase or copypath.entry(source.path)[1]
    packer = Packer(lambda member: copypath.rename(member, where))
    bare = source.path.removesuffix("/.") or "/"
    pieces = packer.pack(bare, name)
    _send(session, wanted.container, where.folder, pieces, owners=owners)


def _send(
    session: Session, container: str, folder: str, pieces: Iterator[bytes], *, owners: bool
) -> None:
    containers.extract(session.client, container, folder, pieces, owners=owners)


def _local_source(path: str, *, follow: bool) -> End:
    """The path with the links before its last name resolved; all of them with `follow`."""
    if follow:
        resolved, rebase = copypath.rebased(path, os.path.realpath(path, strict=True))
    else:
        folder, name = os.path.split(path.rstrip("/") if path != "/" else path)
        resolved, rebase = os.path.join(os.path.realpath(folder, strict=True), name), ""
        if path.endswith("/") and os.path.islink(resolved):
            resolved, rebase = os.path.realpath(resolved), name
    found = os.stat(resolved) if path.endswith(("/", "/.")) else os.lstat(resolved)
    is_directory = (found.st_mode & 0o170000) == 0o040000
    if copypath.asserts_directory(path) and not is_directory:
        raise Failed(f"{path}: not a directory")
    return End(resolved, True, is_directory, rebase)


def _container_target(session: Session, wanted: Place) -> End:
    """What is at a path of the container; what cannot be told counts as missing.

    The parent may exist; if not, the unpacking fails with the engine's own words.
    """
    path = wanted.path
    try:
        found = containers.path_stat(session.client, wanted.container, path)
        if found.number("mode") & LINK and found.text("linkTarget"):
            path = posixpath.join(copypath.entry(path)[0], found.text("linkTarget"))
            found = containers.path_stat(session.client, wanted.container, path)
    except WherryError:
        return End(path)
    return End(path, True, _is_directory(found))


command = Command(
    "cp",
    copy,
    "Copy files/folders between a container and the local filesystem",
    usage="CONTAINER:SRC_PATH DEST_PATH|- | SRC_PATH|- CONTAINER:DEST_PATH",
    arity=Arity(2, 2),
    flags=(
        switch("archive a", "Archive mode (copy all uid/gid information)"),
        switch("follow-link L", "Always follow symbol link in SRC_PATH"),
    ),
)
