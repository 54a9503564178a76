"""GET /containers/{id}/changes and GET /containers/{id}/export."""

from collections.abc import AsyncIterator, Iterator

from wherry.dockerapi.container_answers import Change
from wherry.engine import pipes, rootfs
from wherry.engine.engine import Engine
from wherry.engine.registry import happened
from wherry.layer import diff
from wherry.layer.archive import read


async def changes(engine: Engine, ref: str) -> list[Change]:
    """What differs from the image. Raises NoSuchContainer."""
    container = engine.containers.find(ref)

    def look() -> list[Change]:
        difference = engine.snapshots.difference(container.id)
        found = diff.changes(difference.upper, difference.lowers, difference.style)
        return [Change(each.path, each.kind) for each in found]

    return await engine.lanes.long(look)


async def export(engine: Engine, ref: str) -> AsyncIterator[bytes]:
    """The whole root file system as a tar. Raises NoSuchContainer."""
    container = engine.containers.find(ref)
    mounts = engine.snapshots.mounts(container.id)

    def pieces() -> Iterator[bytes]:
        with rootfs.opened(mounts, container.state.pid) as root:
            yield from read(root, "/.")

    await engine.journal.commit([], happened(container.record, "export"))
    return pipes.iterate(engine.lanes, pieces)
