"""`wherry cp` from a container to a container, of one engine or of two, ours or dockerd.

One stream: the source's archive route is read, its names are changed on the way, the target's
archive route is written. Nothing is spooled here. On the target the files go into a stage beside
their place and move when the source has ended well (`wherry.staged`; `dockerd_stage` where the
target is no wherry).
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from wherry.cli.command import Failed
from wherry.cli.container import copypath, dockerd_stage
from wherry.cli.container.copyends import followed, is_directory, target_end
from wherry.cli.container.copypath import End, Place
from wherry.cli.container.retar import Entry, Member, Reading, renamed
from wherry.cli.progress import Meter
from wherry.client import containers
from wherry.client.client import Client
from wherry.client.document import Document
from wherry.kit.errors import Conflict, WherryError
from wherry.layer.archive import gathered
from wherry.layer.tarwriter import END


class Side(NamedTuple):
    """One end of the copy."""

    client: Client
    place: Place
    role: str

    @contextlib.contextmanager
    def blamed(self) -> Iterator[None]:
        """Errors of the block name this side and its path. Raises Failed."""
        try:
            yield
        except Failed:
            raise
        except WherryError as error:
            where = f"{self.role} {self.place.container}:{self.place.path}"
            raise Failed(f"{where} on {self.client.endpoint}: {error}") from error

    @property
    def id(self) -> str:
        """The container's full id."""
        with self.blamed():
            return containers.inspect(self.client, self.place.container).text("Id")

    @property
    def is_wherry(self) -> bool:
        """Whether the engine knows our parameters."""
        return self.client.ping().get("server", "").startswith("wherry/")


class Options(NamedTuple):
    """Flags of the copy."""

    follow: bool = False
    container_owner: bool = False
    quiet: bool = False


def copy(source: Side, target: Side, options: Options) -> None:
    """Copy, all of it or nothing. Raises Failed, which names the side."""
    with target.blamed():
        wanted = target_end(target.client, target.place)
        staged = target.is_wherry
    with source.blamed():
        path, rebase = source.place.path, ""
        if options.follow:
            path, rebase = followed(source.client, source.place)
        _refuse_itself(source, target, path, copypath.entry(wanted.path)[0])
        found, pieces = containers.archive(
            source.client, source.place.container, path, exact=source.is_wherry
        )
    start = End(path, True, is_directory(found), rebase)
    where = copypath.target(start, wanted)
    rename = _naming(start, where)
    meter = Meter(f"{source.place.container}:{path}", _size(found), quiet=options.quiet)
    reading = Reading(_checked(source, start, found, meter.watched(pieces)))
    with target.blamed():
        extract = containers.Extraction(options.container_owner, staged)
        container = target.place.container
        if staged:
            tar = _stream(source, reading, rename)
            containers.extract(target.client, container, where.folder, tar, extract)
        else:
            stage = dockerd_stage.Stage(target.client, container, where.folder, extract)
            stage.fill(_entries(source, reading), rename)
    meter.done()


def _naming(start: End, where: copypath.Target) -> Callable[[str], str]:
    own = copypath.entry(start.path)[1]

    def rename(name: str) -> str:
        if start.rebase:
            name = copypath.rename(name, copypath.Target("", own, start.rebase))
        return copypath.rename(name, where)

    return rename


def _size(found: Document) -> int:
    return 0 if is_directory(found) else found.number("size")


def _stream(source: Side, reading: Reading, rename: Callable[[str], str]) -> Iterator[bytes]:
    def pieces() -> Iterator[bytes]:
        for member, data in _entries(source, reading):
            yield renamed(member, rename)
            yield from data
        yield END

    return gathered(pieces())


def _entries(source: Side, reading: Reading) -> Iterator[Entry]:
    """The source's members with their data; what is wrong with them is the source's fault."""

    def data(member: Member) -> Iterator[bytes]:
        with source.blamed():
            yield from reading.data(member)

    with source.blamed():
        for member in reading:
            yield member, data(member)


def _checked(source: Side, start: End, found: Document, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The source's stream; at its end a single file of a foreign engine is looked at again."""
    with source.blamed():
        yield from pieces
        if start.is_directory or source.is_wherry:
            return
        with contextlib.closing(source.client.another()) as other:
            after = containers.path_stat(other, source.place.container, start.path)
        if any(after.value(key) != found.value(key) for key in ("size", "mtime")):
            raise Conflict(f"{start.path} changed while it was read")


def _refuse_itself(source: Side, target: Side, path: str, folder: str) -> None:
    """A tree copied into itself would never end, and dockerd locks a container that it reads."""
    if source.id != target.id:
        return
    inner, outer = copypath.cleaned(folder), copypath.cleaned(path)
    if (inner + "/").startswith(outer.rstrip("/") + "/"):
        raise Failed(f"cannot copy {path} into itself")
    if not target.is_wherry:
        raise Failed(
            "this engine cannot read a container and write it at the same time: "
            f"use `wherry exec {target.place.container} cp` for a copy within it"
        )
