"""The archive routes: what `docker cp` is made of. HEAD, GET, PUT /containers/{id}/archive."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO, NamedTuple

from wherry.dockerapi.container_answers import PathStat
from wherry.engine import pipes
from wherry.engine.containers import stages, tree
from wherry.engine.containers.container import Container
from wherry.engine.containers.prepare import resolved_user
from wherry.engine.engine import Engine
from wherry.engine.registry import happened
from wherry.kit.clock import rfc3339
from wherry.kit.errors import InvalidInput, NotFound, NotPermitted
from wherry.layer import archive as tars
from wherry.layer import staged


def _checked(path: str) -> str:
    if not path:
        raise InvalidInput("bad parameter: path cannot be empty")
    return path


def _stat(engine: Engine, container: Container, path: str) -> PathStat:
    with tree.opened(engine, container) as root:
        found = tars.stat(root, path)
    return PathStat(found.name, found.size, found.mode, rfc3339(found.mtime), found.link_target)


async def stat(engine: Engine, ref: str, path: str) -> PathStat:
    """What is at a path. Raises NoSuchContainer, NotFound, InvalidInput."""
    container = engine.containers.find(ref)
    with _named(ref):
        return await engine.lanes.files(_stat, engine, container, _checked(path))


@contextlib.contextmanager
def _named(ref: str) -> Iterator[None]:
    """What was not found was not found in this container."""
    try:
        yield
    except NotFound as error:
        raise NotFound(f"{error} {ref}") from error


async def get(
    engine: Engine, ref: str, path: str, *, exact: bool = False
) -> tuple[PathStat, AsyncIterator[bytes]]:
    """A tar of the path. Raises as `stat`, before the first byte.

    `exact` is for a copy to another engine: holes stay holes, and a file that changes while it is
    read, or whatever else goes wrong, is said in the stream.
    """
    container = engine.containers.find(ref)
    found = await stat(engine, ref, path)

    def pieces() -> Iterator[bytes]:
        with tree.opened(engine, container) as root:
            yield from tars.read(root, path, exact=exact)

    await engine.journal.commit([], happened(container.record, "archive-path"))
    return found, pipes.iterate(engine.lanes, pieces)


class Extraction(NamedTuple):
    """Options of `put`."""

    no_overwrite_dir_non_dir: bool = False
    copy_owner: bool = False
    staged: bool = False
    """All of it or nothing (`layer.staged`)."""


async def put(
    engine: Engine, ref: str, path: str, chunks: AsyncIterator[bytes], options: Extraction
) -> None:
    """Unpack a tar below the path. Raises NoSuchContainer, NotFound, NotPermitted, InvalidInput."""
    container = engine.containers.find(ref)
    _checked(path)
    _refuse_read_only(container, path)

    def work(stream: BinaryIO) -> None:
        with tree.opened(engine, container) as root:
            user = resolved_user(root, container.record) if options.copy_owner else None
            how = tars.Unpacking(
                options.no_overwrite_dir_non_dir,
                (user.uid, user.gid) if user else None,
                engine.host.ids == "real",
            )
            if options.staged:
                with stages.noted(engine.settings.folders.bundle(container.id)) as note:
                    staged.write(root, path, stream, how, note)
            else:
                tars.write(root, path, stream, how)

    with _named(ref):
        await pipes.consume(engine.lanes, chunks, work)
    await engine.journal.commit([], happened(container.record, "extract-to-dir"))


def _refuse_read_only(container: Container, path: str) -> None:
    if container.record.request.host_config.readonly_rootfs and not _in_writable_mount(
        container, path
    ):
        raise NotPermitted("container rootfs is marked read-only")


def _in_writable_mount(container: Container, path: str) -> bool:
    clean = "/" + path.strip("/")
    return any(
        point.rw and (clean == point.destination or clean.startswith(f"{point.destination}/"))
        for point in container.record.mounts
    )
