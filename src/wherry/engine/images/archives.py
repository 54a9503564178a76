"""Images from and to tar archives: load and save."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO

from wherry.engine import pipes
from wherry.engine.collection import leased
from wherry.engine.engine import Engine
from wherry.engine.events import event
from wherry.engine.images.ahead import Ahead
from wherry.engine.images.config import stored
from wherry.engine.images.known import diff_ids
from wherry.engine.images.unpack import add_loaded
from wherry.engine.records import ImageRecord
from wherry.image import archive
from wherry.image.loaded import LoadedImage
from wherry.image.save import Saved
from wherry.kit.errors import InvalidInput
from wherry.oci.digest import Digest

Said = Callable[[str], None]
"""Takes a line for the person who waits: `Loaded image: busybox:latest`."""


async def load(engine: Engine, chunks: AsyncIterator[bytes], said: Said) -> list[ImageRecord]:
    """Take all images of an archive. Raises BadArchive, StorageFull; keeps what was complete."""
    async with leased(engine) as store, contextlib.AsyncExitStack() as owned:
        ahead = Ahead(engine, await engine.lanes.files(diff_ids, engine))
        owned.push_async_callback(ahead.close)

        def read(stream: BinaryIO) -> list[LoadedImage]:
            return archive.load(stream, store, watch=ahead)

        found = await pipes.consume(engine.lanes, chunks, read)
        records = []
        for image in found:
            records.append(await add_loaded(engine, image.manifest, image.names, ahead))
            for name in image.names:
                said(f"Loaded image: {name}\n")
            if not image.names:
                said(f"Loaded image ID: {image.config}\n")
        return records


def save(engine: Engine, names: list[str]) -> AsyncIterator[bytes]:
    """One archive of all the images. Raises NoSuchImage, InvalidInput before the first byte."""
    if not names:
        raise InvalidInput("no images named to save")
    wanted: dict[Digest, list[str]] = {}
    for name in names:
        found = engine.catalog.find(name)
        tags = wanted.setdefault(found.image.id, [])
        if found.reference is not None and found.reference.tag:
            tags.append(found.reference.familiar)
    images = [
        Saved(stored(engine, engine.catalog.get(id)), tuple(dict.fromkeys(tags)))
        for id, tags in wanted.items()
    ]
    return _saving(engine, images)


async def _saving(engine: Engine, images: list[Saved]) -> AsyncIterator[bytes]:
    told = [event("image", "save", each.image.id, {"name": each.image.id}) for each in images]
    await engine.journal.commit([], *told)
    pieces = pipes.produce(engine.lanes.long, lambda stream: archive.save(images, stream))
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            yield piece
