"""`wherry cp`."""

import os

from wherry.cli.archives import blocks
from wherry.cli.command import Arity, Command, Failed
from wherry.cli.container import copypath
from wherry.cli.container.copyends import followed, is_directory, target_end
from wherry.cli.container.copypath import End, Place
from wherry.cli.flags import switch
from wherry.cli.session import Session, write_all
from wherry.client import containers


def copy(
    session: Session, arguments: list[str], *, archive: bool, follow_link: bool, quiet: bool
) -> None:
    """Copy files between containers and this machine; `-` is a tar stream."""
    source, wanted = (copypath.split(text) for text in arguments)
    if not source.path or not wanted.path:
        raise Failed("source and destination can not be empty")
    try:
        if source.container and wanted.container:
            _copy_between(session, (source, wanted), follow_link, archive, quiet)
        elif source.container:
            _copy_out(session, source, wanted.path, follow=follow_link, owners=archive)
        elif wanted.container:
            _copy_in(session, source.path, wanted, follow=follow_link, owners=archive)
        else:
            raise Failed("must specify at least one container source")
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        raise Failed(f"{named}{(error.strerror or str(error)).lower()}") from error


def _copy_between(session: Session, ends: tuple[Place, Place], *options: bool) -> None:
    from wherry.cli.container import between

    source, wanted = ends
    here = between.Side(session.client_of(source.host), source, "source")
    there = between.Side(session.client_of(wanted.host).another(), wanted, "target")
    between.copy(here, there, between.Options(*options))


def _copy_out(session: Session, source: Place, wanted: str, *, follow: bool, owners: bool) -> None:
    path, rebase = source.path, ""
    client = session.client_of(source.host)
    if follow:
        path, rebase = followed(client, source)
    found, pieces = containers.archive(client, source.container, path)
    if wanted == "-":
        for piece in pieces:
            write_all(1, piece)
        return
    from wherry.cli.container.copyout import unpack

    start = End(path, True, is_directory(found), rebase)
    where = copypath.target(start, _local_target(_absolute(wanted)))
    own = copypath.entry(path)[1]

    def renamed(name: str) -> str:
        if rebase:
            name = copypath.rename(name, copypath.Target("", own, rebase))
        return copypath.rename(name, where)

    unpack(pieces, where.folder, renamed, owners=owners)


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
    client = session.client_of(wanted.host)
    end = target_end(client, wanted)
    how = containers.Extraction(container_owner=owners)
    if path == "-":
        if not end.is_directory:
            raise Failed(f'destination "{wanted.container}:{wanted.path}" must be a directory')
        containers.extract(client, wanted.container, end.path, blocks("-"), how)
        return
    from wherry.cli.container.copyin import Packer

    source = _local_source(_absolute(path), follow=follow)
    where = copypath.target(source, end)
    name = source.rebase or copypath.entry(source.path)[1]
    packer = Packer(lambda member: copypath.rename(member, where))
    bare = source.path.removesuffix("/.") or "/"
    pieces = packer.pack(bare, name)
    containers.extract(client, wanted.container, where.folder, pieces, how)


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


command = Command(
    "cp",
    copy,
    "Copy files/folders between containers, on any hosts, and the local filesystem",
    usage="[HOST/]CONTAINER:SRC_PATH|SRC_PATH|- [HOST/]CONTAINER:DEST_PATH|DEST_PATH|-",
    arity=Arity(2, 2),
    flags=(
        switch("archive a", "Archive mode (copy all uid/gid information)"),
        switch("follow-link L", "Always follow symbol link in SRC_PATH"),
        switch("quiet q", "Suppress progress output during copy"),
    ),
)
