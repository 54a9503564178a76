"""POST /images/{name}/push: an image's references, each with all its layers, to a registry."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from wherry.dockerapi.progress import PushResult
from wherry.engine.collection import leased
from wherry.engine.engine import Engine
from wherry.engine.events import event
from wherry.engine.images.config import stored
from wherry.engine.records import ImageRecord
from wherry.image.compress import gzip_layers
from wherry.image.image import StoredImage
from wherry.kit.errors import NotFound, WherryError
from wherry.kit.ids import short_id
from wherry.oci import digest as digests
from wherry.oci import reference as references
from wherry.oci.blobs import BlobStore
from wherry.oci.digest import Digest
from wherry.oci.reference import Reference
from wherry.remote.credentials import ANONYMOUS, Credentials
from wherry.remote.progress import PREPARING, Progress
from wherry.remote.push import PushOptions


class Told(NamedTuple):
    """Whom to tell: steps, and what the registry has in the end."""

    step: Callable[[Progress], None]
    result: Callable[[PushResult], None]


async def push(
    engine: Engine, reference: Reference, credentials: Credentials | None, told: Told
) -> None:
    """The tag, or without one every tag of the repository. Raises NotFound, what registries say."""
    told.step(Progress("", f"The push refers to repository [{reference.repository}]"))
    for each in _wanted(engine, reference):
        image = engine.catalog.find(str(each)).image
        async with leased(engine) as store:
            packed = await engine.lanes.long(_packed, engine, image, store)
            await _send(engine, each, image, packed, credentials or ANONYMOUS, told)


def _wanted(engine: Engine, reference: Reference) -> list[Reference]:
    """Raises NotFound with dockerd's texts."""
    tags = [
        tag
        for image in engine.catalog
        for tag in engine.catalog.tags_of(image.id)
        if tag.repository == reference.repository
    ]
    if not tags:
        raise NotFound(
            f"An image does not exist locally with the tag: {reference.familiar_repository}"
        )
    if reference.tag is None:
        return sorted(tags)
    if reference not in tags:
        raise NotFound(f"tag does not exist: {reference.familiar}")
    return [reference]


def _packed(engine: Engine, image: ImageRecord, store: BlobStore) -> StoredImage:
    """With every layer compressed: archives bring plain ones. Packing gives the same each time."""
    return gzip_layers(StoredImage(store, stored(engine, image).digest))


async def _send(
    engine: Engine,
    reference: Reference,
    image: ImageRecord,
    packed: StoredImage,
    credentials: Credentials,
    told: Told,
) -> None:
    names = await engine.lanes.files(_names, packed)
    sources = await engine.lanes.files(_sources, engine, reference, packed)
    prepared = set[str]()

    def step(each: Progress) -> None:
        """Preparing is said once, however many addresses of the registry are tried."""
        if each.status == PREPARING and each.id in prepared:
            return
        prepared.add(each.id)
        told.step(each._replace(id=names.get(each.id, each.id)))

    options = PushOptions(step, lambda blob: sources.get(blob, ()))
    sent = await engine.remote.push(reference, packed.digest, packed.store, options, credentials)
    tag = reference.tag or references.DEFAULT_TAG
    told.step(Progress("", f"{tag}: digest: {sent.digest} size: {sent.size}"))
    told.result(PushResult(tag, sent.digest, sent.size))
    known = f"{reference.familiar_repository}@{sent.digest}"
    if known not in image.repo_digests:
        await engine.catalog.know(image, known)
    attributes = {"name": reference.familiar_repository}
    await engine.journal.commit([], event("image", "push", reference.familiar, attributes))


def _names(packed: StoredImage) -> dict[str, str]:
    """How people know a layer: by its diff id, whatever it was packed to. Short ids."""
    pairs = zip(packed.layers, packed.config.rootfs.diff_ids, strict=True)
    return {_short(layer.digest): _short(diff_id) for layer, diff_id in pairs}


def _short(digest: Digest) -> str:
    return short_id(digests.hex_of(digest))


def _sources(
    engine: Engine, reference: Reference, packed: StoredImage
) -> dict[Digest, Sequence[str]]:
    """Other repositories of the same registry that have a layer, so far as we know."""
    found: dict[Digest, list[str]] = {layer.digest: [] for layer in packed.layers}
    for image in engine.catalog:
        known = [references.parse(text) for text in image.repo_digests]
        paths = [each.path for each in known if each.domain == reference.domain]
        others = dict.fromkeys(path for path in paths if path != reference.path)
        for layer in _layers(engine, image) if others else ():
            found.get(layer, []).extend(others)
    return {layer: tuple(dict.fromkeys(paths)) for layer, paths in found.items()}


def _layers(engine: Engine, image: ImageRecord) -> list[Digest]:
    try:
        return [layer.digest for layer in stored(engine, image).layers]
    except WherryError:  # a broken image is no reason not to push another
        return []
