"""From blobs to snapshots: the layers of an image, each once, however many images share it."""

import asyncio
from collections.abc import Callable

from wherry.engine import storage
from wherry.engine.engine import Engine
from wherry.engine.images.ahead import Ahead, Staged
from wherry.engine.images.arriving import Arrived
from wherry.engine.records import ImageRecord
from wherry.image.image import StoredImage, open_image
from wherry.kit import clock, failpoints
from wherry.kit.errors import Corrupt
from wherry.layer.apply import Applied, sync
from wherry.oci import digest as digests
from wherry.oci import reference as references
from wherry.oci.digest import Digest

Told = Callable[[str, str], None]
"""Layer (by digest) and what is being done with it: `Extracting`, `Pull complete`."""


def silent(layer: str, status: str) -> None:
    """Nobody wants to know."""


async def here(_number: int) -> None:
    """All blobs are in the store."""


async def unpack(
    engine: Engine,
    manifest: Digest,
    *,
    told: Told = silent,
    ahead: Ahead | None = None,
    arrived: Arrived = here,
) -> ImageRecord:
    """Make the snapshots of an image whose blobs are here; returns its record, not yet kept.

    ahead: who has unpacked some of the layers already.
    arrived: waits for a layer's blob, where only manifest and configuration are here for sure.

    Raises Corrupt where a layer is not what the configuration promises; nothing of that layer
    stays then.
    """
    image = await engine.lanes.files(open_image, engine.blobs, manifest, engine.settings.platform)
    config = await engine.lanes.files(lambda: image.config)
    diff_ids = config.rootfs.diff_ids
    if len(diff_ids) != len(image.layers):
        raise Corrupt(
            f"image {image.id} has {len(image.layers)} layers and {len(diff_ids)} diff ids"
        )
    chain = tuple(digests.chain_id(diff_ids[: n + 1]) for n in range(len(diff_ids)))
    sizes = []
    for number, place in enumerate(zip((None, *chain), chain, strict=False)):
        await arrived(number)
        sizes.append(await _layer(engine, image, number, place, told, ahead))
    return ImageRecord(
        id=image.id,
        manifest=image.digest,
        chain=chain,
        size=sum(sizes),
        layer_sizes=tuple(sizes),
        created=clock.now(),
        owners="real" if engine.host.ids == "real" else "recorded",
    )


async def _layer(
    engine: Engine,
    image: StoredImage,
    number: int,
    place: tuple[Digest | None, Digest],
    told: Told,
    ahead: Ahead | None,
) -> int:
    """One layer's snapshot, and its size in bytes. Two who want the same wait for each other.

    place: the chain ids of what is below and of the layer itself.
    """
    layer, (parent, name) = image.layers[number], place
    size: int | None = None
    async with engine.unpacking.setdefault(name, asyncio.Lock()):
        if not await engine.lanes.files(storage.exists, engine.snapshots, name):
            told(layer.digest, "Extracting")
            staged = await ahead.take(layer.digest, parent) if ahead else None
            if staged is None:
                staged = Staged(_key(name), await _apply(engine, layer.digest, name, parent))
            key, applied = staged
            wanted = image.config.rootfs.diff_ids[number]
            if applied.diff_id != wanted:
                await engine.lanes.long(storage.discard, engine.snapshots, key)
                raise Corrupt(
                    f"layer {layer.digest} unpacks to {applied.diff_id}, "
                    f"the image's configuration says {wanted}"
                )
            await _keep(engine, name, key)
            size = applied.content_size
        told(layer.digest, "Pull complete")
    if size is None:
        size = engine.catalog.layer_size(name)
    if size is None:  # unpacked by a run that died before it recorded the image
        size = (await engine.lanes.long(engine.snapshots.usage, name)).bytes
    return size


async def _keep(engine: Engine, name: Digest, key: str) -> None:
    """Make the files durable and give them their name; or nothing."""
    try:
        await engine.lanes.long(sync, engine.settings.folders.snapshots)
        failpoints.reach("unpack.before-commit")
        await engine.lanes.long(engine.snapshots.commit, name, key)
    except BaseException:
        await engine.lanes.long(storage.discard, engine.snapshots, key)
        raise


async def _apply(engine: Engine, blob: Digest, name: Digest, parent: Digest | None) -> Applied:
    """Unpack into a fresh active snapshot."""
    key, snapshots = _key(name), engine.snapshots
    await engine.lanes.long(storage.discard, snapshots, key)
    await engine.lanes.files(snapshots.prepare, key, parent)
    try:
        difference = await engine.lanes.files(snapshots.difference, key)
        applied = await engine.workers.apply(
            engine.blobs.path(blob),
            await engine.lanes.files(snapshots.fill, key),
            whiteouts=snapshots.style,
            owners=engine.host.ids == "real",
            lowers=difference.lowers,
        )
    except BaseException:
        await engine.lanes.long(storage.discard, snapshots, key)
        raise
    return applied


def _key(name: Digest) -> str:
    return f"unpack-{digests.hex_of(name)}"


async def add_loaded(
    engine: Engine, manifest: Digest, names: tuple[str, ...], ahead: Ahead
) -> ImageRecord:
    """Unpack and record an image that came from an archive; `names` carry their tags."""
    record = await unpack(engine, manifest, ahead=ahead)
    tags = tuple(references.parse(name) for name in names)
    return await engine.catalog.add(record, *tags, action="load")
