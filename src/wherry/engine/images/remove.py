"""DELETE /images/{name}, and the pruning of images.

Docker's rules: by reference, the reference goes, and the image only with its last one; by id, the
image goes unless several repositories point at it. A container in the way is a conflict: for a
running one always, for a stopped one unless forced.
"""

from wherry.dockerapi.filters import IMAGES_PRUNE, Filters
from wherry.dockerapi.images import ImageDeleted, ImagesPruned
from wherry.dockerapi.moments import pruned_until
from wherry.engine import storage
from wherry.engine.collection import collect_blobs
from wherry.engine.engine import Engine
from wherry.engine.events import event
from wherry.engine.images import init_layer
from wherry.engine.images.catalog import Found
from wherry.engine.images.config import image_config
from wherry.engine.images.listing import created_at
from wherry.engine.records import ImageRecord
from wherry.kit.errors import Conflict
from wherry.kit.ids import short_id
from wherry.oci import digest as digests
from wherry.oci.digest import Digest
from wherry.oci.reference import Reference


async def remove(
    engine: Engine, name: str, force: bool, noprune: bool = False
) -> list[ImageDeleted]:
    """What was untagged and deleted. Raises NoSuchImage, Conflict."""
    found = engine.catalog.find(name)
    tags = engine.catalog.tags_of(found.image.id)
    if found.reference is not None and _is_partial(found, tags):
        await engine.catalog.untag(found.image, found.reference)
        return [ImageDeleted(untagged=found.reference.familiar)]
    if found.reference is None and not force:
        _refuse_shared(found.image, tags)
    _refuse_used(engine, found.image, force, name)
    return await _delete(engine, found.image, noprune)


def _is_partial(found: Found, tags: list[Reference]) -> bool:
    """Whether something else still points at the image."""
    reference = found.reference
    if reference is None:
        return False
    if reference.digest is not None:
        return bool(tags)
    return any(tag != reference for tag in tags)


def _refuse_shared(image: ImageRecord, tags: list[Reference]) -> None:
    if len({tag.repository for tag in tags}) > 1 or len(tags) > 1:
        raise Conflict(
            f"conflict: unable to delete {short_id(digests.hex_of(image.id))} (must be forced) - "
            "image is referenced in multiple repositories"
        )


def _refuse_used(engine: Engine, image: ImageRecord, force: bool, name: str) -> None:
    for container in engine.containers:
        if container.record.image != image.id:
            continue
        short = short_id(container.id)
        shown = short_id(digests.hex_of(image.id))
        if container.running:
            raise Conflict(
                f"conflict: unable to delete {shown} (cannot be forced) - "
                f"image is being used by running container {short}"
            )
        if not force:
            how = "unable to remove repository reference " + f'"{name}"'
            by_reference = bool(engine.catalog.find(name).reference)
            what = how if by_reference else f"unable to delete {shown}"
            raise Conflict(
                f"conflict: {what} (must be forced) - "
                + (
                    f"container {short} is using its referenced image {shown}"
                    if by_reference
                    else f"image is being used by stopped container {short}"
                )
            )


def _is_used(engine: Engine, image: ImageRecord) -> bool:
    return any(container.record.image == image.id for container in engine.containers)


def _untagged(engine: Engine, image: ImageRecord) -> list[ImageDeleted]:
    """What is told of an image's references when it goes."""
    names = [tag.familiar for tag in engine.catalog.tags_of(image.id)]
    return [ImageDeleted(untagged=name) for name in (*names, *image.repo_digests)]


async def _delete(engine: Engine, image: ImageRecord, noprune: bool = False) -> list[ImageDeleted]:
    """References, record, and (unless `noprune`) the layers that nothing else needs."""
    result = _untagged(engine, image)
    for tag in engine.catalog.tags_of(image.id):
        await engine.catalog.untag(image, tag)
    if _is_used(engine, image):
        return result
    await engine.catalog.forget(image)
    result.append(ImageDeleted(deleted=image.id))
    gone = [] if noprune else await engine.lanes.long(_remove_layers, engine, image)
    await collect_blobs(engine)
    return result + [ImageDeleted(deleted=name) for name in gone]


def _remove_layers(engine: Engine, image: ImageRecord) -> list[str]:
    """Snapshots from the top down, as long as no image and no snapshot stands on them."""
    kept = {name for other in engine.catalog for name in other.chain}
    gone: list[str] = []
    top_is_shared = any(other.chain == image.chain for other in engine.catalog)
    if not top_is_shared and not init_layer.remove(engine, image):
        return gone
    for name in reversed(image.chain):
        if name in kept or not storage.exists(engine.snapshots, name):
            break
        try:
            engine.snapshots.remove(name)
        except Conflict:  # a container of a removed image still stands on it
            break
        gone.append(name)
    return gone


async def prune(engine: Engine, filters: Filters, *, dry_run: bool = False) -> ImagesPruned:
    """Dangling images, or with dangling=false all that no container uses.

    dry_run: only say which these would be.
    """
    filters.check(IMAGES_PRUNE)
    pruned_until(filters)  # refused also where there is no image
    dangling = filters.boolean("dangling", True)
    deleted: list[ImageDeleted] = []
    freed, going = 0, set[Digest]()
    for image in engine.catalog:
        has_tags = bool(engine.catalog.tags_of(image.id))
        if dangling and has_tags:
            continue
        if await _selected(engine, image, filters) and not _is_used(engine, image):
            freed += _freed_by(engine, image, going)
            going.add(image.id)
            deleted += _would_delete(engine, image) if dry_run else await _delete(engine, image)
    if not dry_run:
        await engine.journal.commit([], event("image", "prune", "", {"reclaimed": str(freed)}))
    return ImagesPruned(tuple(deleted) or None, freed)


def _would_delete(engine: Engine, image: ImageRecord) -> list[ImageDeleted]:
    """But for layers: which of them stay is seen when they are removed."""
    return [*_untagged(engine, image), ImageDeleted(deleted=image.id)]


def _freed_by(engine: Engine, image: ImageRecord, going: set[Digest]) -> int:
    """Bytes of the layers that only this image, and those that go with it, stand on."""
    others = {
        name
        for each in engine.catalog
        if each.id != image.id and each.id not in going
        for name in each.chain
    }
    pairs = zip(image.chain, image.layer_sizes, strict=True)
    return sum(size for name, size in pairs if name not in others)


async def _selected(engine: Engine, image: ImageRecord, filters: Filters) -> bool:
    config = await image_config(engine, image)
    labels = (config.config.labels if config.config else None) or {}
    limit = pruned_until(filters)
    excluded = any(
        Filters({"label": (text,)}).labels("label", labels) for text in filters.get("label!")
    )
    old_enough = limit is None or created_at(config) < limit
    return filters.labels("label", labels) and not excluded and old_enough
