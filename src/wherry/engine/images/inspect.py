"""GET /images/{name}/json and GET /images/{name}/history."""

import msgspec

from wherry.dockerapi.container_answers import GraphDriver
from wherry.dockerapi.containers import ContainerConfig, Healthcheck
from wherry.dockerapi.images import HistoryEntry, ImageInspect, ImageMetadata, ImageRootFs
from wherry.engine import storage
from wherry.engine.engine import Engine
from wherry.engine.images import targets
from wherry.engine.images.config import image_config
from wherry.engine.images.listing import created_at
from wherry.kit import clock
from wherry.oci.config import ImageConfig, ProcessConfig


async def inspect(engine: Engine, name: str, manifests: bool = False) -> ImageInspect:
    """Everything about one image, with all its manifests where asked. Raises NoSuchImage."""
    image = engine.catalog.find(name).image
    files = engine.lanes.files
    config = await image_config(engine, image)
    return ImageInspect(
        id=image.id,
        repo_tags=tuple(tag.familiar for tag in engine.catalog.tags_of(image.id)),
        repo_digests=image.repo_digests,
        parent=image.parent,
        comment=_comment(config),
        created=config.created or clock.ZERO,
        container=config.container,
        docker_version=config.docker_version,
        author=config.author,
        config=container_config(config.config),
        architecture=config.architecture,
        variant=config.variant,
        os=config.os,
        size=image.size,
        virtual_size=image.size,
        graph_driver=GraphDriver(name=storage.driver_name(engine.snapshots), data={}),
        root_fs=ImageRootFs(layers=config.rootfs.diff_ids or None),
        metadata=ImageMetadata(clock.rfc3339(engine.catalog.last_tagged(image.id))),
        descriptor=await files(targets.descriptor, engine, image),
        manifests=await files(targets.described, engine, image) if manifests else None,
    )


def _comment(config: ImageConfig) -> str:
    return config.history[-1].comment if config.history else ""


def container_config(process: ProcessConfig | None) -> ContainerConfig:
    """An image's `config` object in the API's shape."""
    if process is None:
        return ContainerConfig()
    fields = msgspec.structs.asdict(process)
    health = fields.pop("healthcheck")
    check = Healthcheck(**msgspec.structs.asdict(health)) if health is not None else None
    return ContainerConfig(healthcheck=check, **fields)


async def history(engine: Engine, name: str) -> list[HistoryEntry]:
    """Newest step first; sizes are of the unpacked layers. Raises NoSuchImage."""
    image = engine.catalog.find(name).image
    config = await image_config(engine, image)
    sizes = iter(image.layer_sizes)
    entries = [
        HistoryEntry(
            comment=step.comment,
            created=created_at(ImageConfig(created=step.created)) // clock.SECOND,
            created_by=step.created_by,
            size=0 if step.empty_layer else next(sizes, 0),
        )
        for step in config.history or ()
    ]
    entries += [HistoryEntry(size=size) for size in sizes]
    if entries:
        tags = tuple(tag.familiar for tag in engine.catalog.tags_of(image.id)) or None
        entries[-1] = msgspec.structs.replace(entries[-1], id=image.id, tags=tags)
    return entries[::-1]
