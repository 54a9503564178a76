"""Removing blobs that no image names: after failed loads and pulls, and after removals."""

import contextlib
from collections.abc import AsyncIterator

from wherry.content import lease
from wherry.content.collect import Collected, collect
from wherry.content.files import FileStore
from wherry.engine.engine import Engine
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
        yield engine.blobs.leased(kept)
        failed = False
    finally:
        await engine.lanes.files(kept.release)
        if failed:
            await collect_blobs(engine)
