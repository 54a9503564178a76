"""Removing blobs and layers that no image names: after failures, and after removals."""

import contextlib
from collections.abc import AsyncIterator

from wherry.content import lease
from wherry.content.collect import Collected, collect
from wherry.content.files import FileStore
from wherry.engine.engine import Engine
from wherry.engine.images import init_layer
from wherry.kit.errors import Conflict, NotFound
from wherry.oci.digest import Digest


async def collect_blobs(engine: Engine) -> Collected:
    """Mark from the images' manifests, sweep the rest; leases keep what is on its way in."""
    async with engine.collecting:
        roots: set[Digest] = set()
        for image in engine.catalog:
            roots |= {image.manifest, image.id}
            roots |= {each.index_digest for each in image.provenance if each.index_digest}
        return await engine.lanes.long(collect, engine.blobs, roots)


@contextlib.asynccontextmanager
async def leased(engine: Engine) -> AsyncIterator[FileStore]:
    """The blob store under a lease. What a failure leaves without an image is removed."""
    kept = await engine.lanes.files(lease.create, engine.settings.folders.content)
    failed = True
    try:
        async with taking_layers(engine):
            yield engine.blobs.leased(kept)
        failed = False
    finally:
        await engine.lanes.files(kept.release)
        if failed:
            await collect_blobs(engine)


@contextlib.asynccontextmanager
async def taking_layers(engine: Engine) -> AsyncIterator[None]:
    """From a layer's unpacking until its image is recorded.

    What failed may have left layers on which others build meanwhile, so they are removed when
    nobody is at it.
    """
    async with engine.collecting:
        engine.takers += 1
    try:
        yield
    except BaseException:
        engine.spoilt = True
        raise
    finally:
        engine.takers -= 1
        if engine.spoilt:
            await _collect_layers(engine)


async def _collect_layers(engine: Engine) -> None:
    async with engine.collecting:
        if engine.takers == 0:
            engine.spoilt = False
            committed = {each.name for each in engine.snapshots.walk() if each.kind == "committed"}
            await engine.lanes.long(remove_layers, engine, unused(engine) & committed)


def unused(engine: Engine) -> set[str]:
    """Snapshots of no container and no image, on which nothing stands that is one's."""
    infos = {info.name: info for info in engine.snapshots.walk()}
    kept = {container.id for container in engine.containers}
    kept |= {name for image in engine.catalog for name in (*image.chain, init_layer.name_of(image))}
    for name in list(kept):
        info = infos.get(name)
        while info is not None and info.parent is not None:
            kept.add(info.parent)
            info = infos.get(info.parent)
    return infos.keys() - kept


def remove_layers(engine: Engine, names: set[str]) -> None:
    """From the top down; those on which something stands stay. Blocking."""
    left = set(names)
    while gone := {name for name in left if _removed(engine, name)}:
        left -= gone


def _removed(engine: Engine, name: str) -> bool:
    try:
        engine.snapshots.remove(name)
    except NotFound:
        return True
    except Conflict:
        return False
    return True
