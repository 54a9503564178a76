"""The archive routes: what `docker cp` is made of. HEAD, GET, PUT /containers/{id}/archive."""

from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO

from wherry.dockerapi.container_answers import PathStat
from wherry.engine import pipes, rootfs
from wherry.engine.containers.container import Container
from wherry.engine.containers.prepare import resolved_user
from wherry.engine.engine import Engine
from wherry.engine.registry import happened
from wherry.kit.clock import rfc3339
from wherry.kit.errors import InvalidInput, NotPermitted
from wherry.layer import archive as tars


def _checked(path: str) -> str:
    if not path:
        raise InvalidInput("bad parameter: path cannot be empty")
    return path


def _stat(engine: Engine, container: Container, path: str) -> PathStat:
    with rootfs.opened(engine.snapshots.mounts(container.id), container.state.pid) as root:
        found = tars.stat(root, path)
    return PathStat(found.name, found.size, found.mode, rfc3339(found.mtime), found.link_target)


async def stat(engine: Engine, ref: str, path: str) -> PathStat:
    """What is at a path. Raises NoSuchContainer, NotFound, InvalidInput."""
    container = engine.containers.find(ref)
    return await engine.lanes.files(_stat, engine, container, _checked(path))


async def get(engine: Engine, ref: str, path: str) -> tuple[PathStat, AsyncIterator[bytes]]:
    """A tar of the path. Raises as `stat`, before the first byte."""
    container = engine.containers.find(ref)
    found = await engine.lanes.files(_stat, engine, container, _checked(path))
    mounts = engine.snapshots.mounts(container.id)

    def pieces() -> Iterator[bytes]:
        with rootfs.opened(mounts, container.state.pid) as root:
            yield from tars.read(root, path)

    await engine.journal.commit([], happened(container.record, "archive-path"))
    return found, pipes.iterate(engine.lanes, pieces)


async def put(
    engine: Engine,
    ref: str,
    path: str,
    chunks: AsyncIterator[bytes],
    *,
    no_overwrite_dir_non_dir: bool = False,
    copy_owner: bool = False,
) -> None:
    """Unpack a tar below the path. Raises NoSuchContainer, NotFound, NotPermitted, InvalidInput."""
    container = engine.containers.find(ref)
    _checked(path)
    _refuse_read_only(container, path)
    mounts = engine.snapshots.mounts(container.id)

    def work(stream: BinaryIO) -> None:
        with rootfs.opened(mounts, container.state.pid) as root:
            user = resolved_user(root, container.record) if copy_owner else None
            tars.write(
                root,
                path,
                stream,
                no_overwrite_dir_non_dir=no_overwrite_dir_non_dir,
                copy_uid_gid=(user.uid, user.gid) if user else None,
                owners=engine.host.ids == "real",
            )

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
