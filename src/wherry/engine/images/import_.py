"""POST /images/create?fromSrc=…: a tar of a root file system becomes an image of one layer."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import BinaryIO, NamedTuple

from wherry.engine import pipes
from wherry.engine.collection import leased
from wherry.engine.engine import Engine
from wherry.engine.images.unpack import unpack
from wherry.engine.records import ImageRecord
from wherry.image import changes as dockerfile
from wherry.image import layers, mutate
from wherry.kit import clock
from wherry.kit.ids import new_id
from wherry.oci import platform as platforms
from wherry.oci import reference as references
from wherry.oci.blobs import BlobStore
from wherry.oci.config import History, ImageConfig, ProcessConfig, RootFs
from wherry.oci.digest import Digest
from wherry.oci.platform import Platform
from wherry.oci.reference import Reference
from wherry.remote.download import download, full_url

__all__ = ["Wanted", "downloaded", "full_url", "import_image", "wanted"]

CHUNK = 1 << 20


class Wanted(NamedTuple):
    """What the new image shall be."""

    target: Reference | None
    message: str
    process: ProcessConfig
    platform: Platform


def wanted(
    repository: str, tag: str, message: str, changes: list[str], platform: str, ours: Platform
) -> Wanted:
    """Check everything before the first byte is read. Raises InvalidInput."""
    target = None
    if repository:
        parsed = references.parse(repository)
        target = (parsed.with_tag(tag) if tag else parsed).with_default_tag()
    process = dockerfile.apply(ProcessConfig(), changes)
    return Wanted(target, message, process, platforms.parse(platform) if platform else ours)


def downloaded(engine: Engine, source: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
    """The tar behind a URL. Raises InvalidInput, Unavailable."""
    return download(source, engine.remote.settings)


async def import_image(engine: Engine, chunks: AsyncIterator[bytes], what: Wanted) -> ImageRecord:
    """Raises BrokenArchive, StorageFull; nothing stays of a broken stream."""
    async with leased(engine) as store:
        manifest = await pipes.consume(
            engine.lanes, chunks, lambda stream: _stored(stream, store, what)
        )
        record = await unpack(engine, manifest)
        tags = (what.target,) if what.target else ()
        return await engine.catalog.add(record, *tags, action="import")


def _stored(stream: BinaryIO, store: BlobStore, what: Wanted) -> Digest:
    """The layer as it came, a configuration and a manifest. Blocking."""
    with store.writer(f"import-{new_id()}") as ingest:
        try:
            while chunk := stream.read(CHUNK):
                ingest.write(chunk)
            digest = ingest.commit()
        except BaseException:
            ingest.abort()
            raise
    layer = layers.as_layer(store, digest)
    created = clock.rfc3339(clock.now())
    config = ImageConfig(
        architecture=what.platform.architecture,
        os=what.platform.os,
        variant=what.platform.variant,
        created=created,
        config=what.process,
        rootfs=RootFs(diff_ids=(layer.diff_id,)),
        history=(History(created=created, comment=what.message),),
    )
    return mutate.create(store, config, (layer.descriptor,)).digest
