"""GET /images/json."""

import fnmatch
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from wherry.dockerapi.filters import IMAGES, Filters
from wherry.dockerapi.images import ImageSummary
from wherry.engine.engine import Engine
from wherry.engine.images import targets
from wherry.engine.images.config import image_config
from wherry.engine.records import ImageRecord
from wherry.kit import clock
from wherry.kit.errors import InvalidInput
from wherry.oci.config import ImageConfig
from wherry.oci.digest import Digest


class Shown(NamedTuple):
    """What a list has beside the usual."""

    shared_size: bool = False
    descriptor: bool = False
    manifests: bool = False


USUAL = Shown()


async def list_images(engine: Engine, filters: Filters, shown: Shown = USUAL) -> list[ImageSummary]:
    """Newest first. Raises InvalidInput, NoSuchImage (before, since)."""
    filters.check(IMAGES)
    pairs = [(image, await image_config(engine, image)) for image in engine.catalog]
    pairs.sort(key=lambda pair: -created_at(pair[1]))
    wanted = await _selector(engine, filters)
    users = Counter(container.record.image for container in engine.containers)
    layers = Counter(name for image in engine.catalog for name in image.chain)
    selected = [pair for pair in pairs if wanted(*pair)]

    def summaries() -> list[ImageSummary]:
        return [
            msgspec.structs.replace(
                _summary(engine, image, config, filters),
                containers=users[image.id],
                shared_size=shared_bytes(image, layers) if shown.shared_size else -1,
                descriptor=targets.descriptor(engine, image) if shown.descriptor else None,
                manifests=targets.described(engine, image) if shown.manifests else None,
            )
            for image, config in selected
        ]

    return await engine.lanes.files(summaries) if shown != USUAL else summaries()


def shared_bytes(image: ImageRecord, layers: Counter[Digest]) -> int:
    """Bytes of the layers that other images have too; `layers` counts the images by layer."""
    pairs = zip(image.chain, image.layer_sizes, strict=True)
    return sum(size for name, size in pairs if layers[name] > 1)


async def _selector(engine: Engine, filters: Filters) -> Callable[[ImageRecord, ImageConfig], bool]:
    dangling = filters.boolean("dangling", False) if "dangling" in filters else None
    before = [await _time(engine, name) for name in filters.get("before")]
    since = [await _time(engine, name) for name in filters.get("since")]
    until = [_until(text) for text in filters.get("until")]

    def wanted(image: ImageRecord, config: ImageConfig) -> bool:
        tags = engine.catalog.tags_of(image.id)
        created = created_at(config)
        labels = (config.config.labels if config.config else None) or {}
        return (
            (dangling is None or dangling == (not tags))
            and all(created < each for each in (*before, *until))
            and all(created > each for each in since)
            and filters.labels("label", labels)
            and ("reference" not in filters or bool(_matching(engine, image, filters)))
        )

    return wanted


def _matching(engine: Engine, image: ImageRecord, filters: Filters) -> list[str]:
    """The image's tags that the reference patterns select."""
    found = []
    for tag in engine.catalog.tags_of(image.id):
        names = (tag.familiar, tag.familiar_repository, str(tag), tag.repository)
        if any(fnmatch.fnmatchcase(n, p) for n in names for p in filters.get("reference")):
            found.append(tag.familiar)
    return found


async def _time(engine: Engine, name: str) -> int:
    return created_at(await image_config(engine, engine.catalog.find(name).image))


def _until(text: str) -> int:
    if text.isdigit():
        return int(text) * clock.SECOND
    return clock.parse_rfc3339(text)


def created_at(config: ImageConfig) -> int:
    """When the image says it was made, ns; 0 where it does not say."""
    try:
        return clock.parse_rfc3339(config.created) if config.created else 0
    except InvalidInput:
        return 0


def _summary(
    engine: Engine, image: ImageRecord, config: ImageConfig, filters: Filters
) -> ImageSummary:
    tags = [tag.familiar for tag in engine.catalog.tags_of(image.id)]
    if "reference" in filters:
        tags = _matching(engine, image, filters)
    return ImageSummary(
        created=created_at(config) // clock.SECOND,
        id=image.id,
        labels=config.config.labels if config.config else None,
        parent_id=image.parent,
        repo_digests=image.repo_digests or (None if tags else ("<none>@<none>",)),
        repo_tags=tuple(tags) or ("<none>:<none>",),
        size=image.size,
        virtual_size=image.size,
    )
