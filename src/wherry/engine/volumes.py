"""Volumes: create, list, inspect, remove, prune."""

from wherry.dockerapi.filters import VOLUMES, VOLUMES_PRUNE, Filters
from wherry.dockerapi.volumes import (
    Volume,
    VolumeCreateRequest,
    VolumeList,
    VolumesPruned,
    VolumeUsage,
)
from wherry.engine.containers.volumes import in_use
from wherry.engine.engine import Engine
from wherry.engine.events import event
from wherry.kit.clock import SECOND, rfc3339
from wherry.kit.errors import Conflict, NotFound, Unavailable
from wherry.volume import local

NO_SWARM = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect '
    "this node to swarm and try again."
)


async def create(engine: Engine, request: VolumeCreateRequest) -> Volume:
    """The volume, new or not. Raises InvalidInput, NotFound (driver), Unavailable."""
    if request.driver not in ("", "local"):
        raise NotFound(
            f"create {request.name}: error looking up volume plugin {request.driver}: "
            f'plugin "{request.driver}" not found'
        )
    if request.cluster_volume_spec is not None:
        raise Unavailable(NO_SWARM)
    made = await engine.lanes.files(
        lambda: engine.volumes.create(
            request.name,
            options=request.driver_opts,
            labels=request.labels,
            anonymous=not request.name,
        )
    )
    await engine.journal.commit([], event("volume", "create", made.name, {"driver": "local"}))
    return answer(made)


async def inspect(engine: Engine, name: str) -> Volume:
    """Raises NotFound."""
    return answer(await engine.lanes.files(engine.volumes.inspect, name))


def answer(volume: local.Volume, usage: VolumeUsage | None = None) -> Volume:
    """A volume as the API shows it."""
    return Volume(
        created_at=rfc3339(volume.created // SECOND * SECOND),
        labels=volume.labels or None,
        mountpoint=volume.path,
        name=volume.name,
        options=volume.options or None,
        usage_data=usage,
    )


async def list_volumes(engine: Engine, filters: Filters) -> VolumeList:
    """By name. Raises InvalidInput for filters that make no sense."""
    filters.check(VOLUMES)
    found = await engine.lanes.files(engine.volumes.list)
    dangling = filters.boolean("dangling", False) if "dangling" in filters else None
    return VolumeList(
        tuple(
            answer(volume)
            for volume in found
            if filters.match("name", volume.name)
            and filters.exact("driver", "local")
            and filters.labels("label", volume.labels)
            and (dangling is None or dangling == (not in_use(engine, volume.name)))
        )
    )


async def remove(engine: Engine, name: str, force: bool) -> None:
    """Raises NotFound (unless forced), Conflict where a container has it."""
    users = in_use(engine, name)
    if users:
        raise Conflict(f"remove {name}: volume is in use - [{', '.join(users)}]")
    try:
        await engine.lanes.long(engine.volumes.remove, name)
    except NotFound:
        if not force:
            raise
        return
    await engine.journal.commit([], event("volume", "destroy", name, {"driver": "local"}))


async def prune(
    engine: Engine, filters: Filters, *, all_by_default: bool, dry_run: bool = False
) -> VolumesPruned:
    """Unused volumes; since API 1.42 only anonymous ones unless `all` is asked for.

    dry_run: only say what would go.
    """
    filters.check(VOLUMES_PRUNE)
    everything = filters.boolean("all", all_by_default)
    removed, freed = [], 0
    for volume in await engine.lanes.files(engine.volumes.list):
        if not _prunable(engine, volume, everything) or not _selected(volume, filters):
            continue
        try:
            size = await engine.lanes.long(engine.volumes.content_size, volume.name)
            if not dry_run:
                await remove(engine, volume.name, force=False)
        except (Conflict, NotFound):
            continue  # a container took it, or it is gone: then it is not ours to prune
        removed.append(volume.name)
        freed += size
    if not dry_run:
        told = event("volume", "prune", "", {"reclaimed": str(freed)})
        await engine.journal.commit([], told)
    return VolumesPruned(tuple(removed), freed)


def _prunable(engine: Engine, volume: local.Volume, everything: bool) -> bool:
    """As dockerd, those that stand for a mount stay: what is behind may be anything."""
    unused = not in_use(engine, volume.name) and volume.mount is None
    return unused and (everything or volume.anonymous)


def _selected(volume: local.Volume, filters: Filters) -> bool:
    unwanted = any(
        Filters({"label": (text,)}).labels("label", volume.labels) for text in filters.get("label!")
    )
    return filters.labels("label", volume.labels) and not unwanted


async def with_usage(engine: Engine) -> tuple[Volume, ...]:
    """Volumes with their sizes in bytes and the count of their users, for `system df`.

    As with dockerd without those that stand for a mount, which may be large and far away.
    """

    def measure() -> list[tuple[local.Volume, int]]:
        own = (each for each in engine.volumes.list() if not each.options)
        return [(each, engine.volumes.content_size(each.name)) for each in own]

    return tuple(
        answer(volume, VolumeUsage(len(in_use(engine, volume.name)), size))
        for volume, size in await engine.lanes.long(measure)
    )
