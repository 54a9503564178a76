"""A container's volumes: made when missing, filled from the image when new, removed with it."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from itertools import repeat

import msgspec

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.engine import rootfs
from wherry.engine.containers import mountpoints
from wherry.engine.engine import Engine
from wherry.engine.events import Event, event
from wherry.engine.records import ContainerRecord, MountPoint
from wherry.kit.errors import InvalidInput, NotFound
from wherry.linux.path import open_in_root
from wherry.volume.copyup import copy_up


def inherited(engine: Engine, request: ContainerCreateRequest) -> tuple[MountPoint, ...]:
    """`--volumes-from`; of mounts at one place the last wins. Raises InvalidInput."""
    found: dict[str, MountPoint] = {}
    for text in request.host_config.volumes_from or []:
        ref, writable = mountpoints.parse_volumes_from(text)
        points = _mounts_of(engine, ref)
        found |= {point.destination: point for point in mountpoints.inherit(points, writable)}
    return tuple(found.values())


def _mounts_of(engine: Engine, ref: str) -> tuple[MountPoint, ...]:
    try:
        return engine.containers.find(ref).record.mounts
    except NotFound as error:
        raise InvalidInput(str(error)) from error


def resolved(engine: Engine, record: ContainerRecord, made: list[str]) -> ContainerRecord:
    """The record with the host path of every volume; missing volumes are made.

    `made` collects their names, so that a failure further on can take them back. Raises
    InvalidInput where a `--mount` source does not exist.
    """
    points = tuple(_resolved(engine, point, made) for point in record.mounts)
    return msgspec.structs.replace(record, mounts=points)


def _resolved(engine: Engine, point: MountPoint, made: list[str]) -> MountPoint:
    if point.type == "volume":
        return msgspec.structs.replace(point, source=_volume(engine, point, made))
    if point.type == "bind" and not point.create_source and not os.path.exists(point.source):
        raise InvalidInput(
            f'invalid mount config for type "bind": bind source path does not exist: {point.source}'
        )
    return point


def _volume(engine: Engine, point: MountPoint, made: list[str]) -> str:
    if point.driver not in ("", "local"):
        raise NotFound(
            f"create {point.name}: error looking up volume plugin {point.driver}: "
            f'plugin "{point.driver}" not found'
        )
    try:
        return engine.volumes.inspect(point.name).path
    except NotFound:
        volume = engine.volumes.create(
            point.name,
            options=point.volume_options,
            labels=point.volume_labels,
            anonymous=point.anonymous,
        )
        made.append(point.name)
        return volume.path


def populate(engine: Engine, record: ContainerRecord) -> None:
    """Copy what the image has at a new volume's place into the volume. Blocking."""
    wanted = [
        point
        for point in record.mounts
        if point.type == "volume" and not (point.no_copy or point.subpath)
    ]
    if not wanted:
        return
    with mounted(engine, wanted, f"filling {record.id}"):
        empty = [point for point in wanted if not os.listdir(point.source)]
        if empty:
            with rootfs.opened(engine.snapshots.mounts(record.id)) as root:
                for point in empty:
                    _copy(engine, root, point)


def _copy(engine: Engine, root: int, point: MountPoint) -> None:
    try:
        source = open_in_root(root, point.destination, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        with engine.volumes.filling(point.name):
            copy_up(source, point.source)
    finally:
        os.close(source)


def held(engine: Engine, record: ContainerRecord) -> ContainerRecord:
    """Mount what the container's volumes stand for, before it starts; see `let_go`.

    Returns the record with the paths to bind: a subpath is bound beside the container, resolved
    within its volume. Raises NotFound (a volume or subpath is gone), InvalidInput, Unavailable.
    """
    points = []
    try:
        for number, point in enumerate(record.mounts):
            if point.type == "volume":
                _mount(engine, point, record.id)
                if point.subpath:
                    point = _bound(engine, record.id, number, point)
            points.append(point)
    except BaseException:
        let_go(engine, record)
        raise
    return msgspec.structs.replace(record, mounts=tuple(points))


def _mount(engine: Engine, point: MountPoint, user: str) -> None:
    volume = engine.volumes.inspect(point.name)
    if volume.mount is not None:
        engine.mounted.hold(volume.path, volume.mount, user)


def _bound(engine: Engine, id: str, number: int, point: MountPoint) -> MountPoint:
    """With the subpath bound to a folder of the container's as its source.

    A path would be resolved again when it is mounted, and another container may by then have put
    a link there.
    """
    folder = f"{_subpaths(engine, id)}/{number}"
    root = os.open(point.source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = open_in_root(root, point.subpath, os.O_PATH)
    except OSError as error:
        raise NotFound(
            f"cannot access path {point.source}/{point.subpath}: {(error.strerror or '').lower()}"
        ) from error
    finally:
        os.close(root)
    try:
        engine.mounted.hold_bound(found, folder, id)
    finally:
        os.close(found)
    return msgspec.structs.replace(point, source=folder)


@contextlib.contextmanager
def mounted(engine: Engine, points: Iterable[MountPoint], user: str) -> Iterator[None]:
    """Keep mounted what these volumes stand for. Raises NotFound, Unavailable."""
    try:
        for point in points:
            if point.type == "volume":
                _mount(engine, point, user)
        yield
    finally:
        engine.mounted.release(user)


def _subpaths(engine: Engine, id: str) -> str:
    return f"{engine.settings.folders.bundle(id)}/subpaths"


def let_go(engine: Engine, record: ContainerRecord) -> None:
    """The container does not run any more: unmount what it alone had."""
    engine.mounted.release(record.id)


async def holding(engine: Engine, record: ContainerRecord) -> ContainerRecord:
    """`held`, where there are volumes, and the events."""
    if not _has_volumes(record):
        return record
    ready = await engine.lanes.long(held, engine, record)
    await engine.journal.commit([], *map(_mounted, _volumes(record), repeat(record.id)))
    return ready


def _mounted(point: MountPoint, id: str) -> Event:
    attributes = {
        "container": id,
        "destination": point.destination,
        "driver": "local",
        "propagation": point.propagation,
        "read/write": "true" if point.rw else "false",
    }
    return event("volume", "mount", point.name, attributes)


def _unmounted(point: MountPoint, id: str) -> Event:
    return event("volume", "unmount", point.name, {"container": id, "driver": "local"})


def _volumes(record: ContainerRecord) -> list[MountPoint]:
    return [point for point in record.mounts if point.type == "volume"]


async def released(engine: Engine, record: ContainerRecord) -> None:
    """`let_go`, where there are volumes."""
    if _has_volumes(record):
        await engine.lanes.files(let_go, engine, record)
        await engine.journal.commit([], *map(_unmounted, _volumes(record), repeat(record.id)))


def _has_volumes(record: ContainerRecord) -> bool:
    return any(point.type == "volume" for point in record.mounts)


def subpath_folders(engine: Engine, id: str) -> list[str]:
    """Where a container's subpaths are bound, or were."""
    folder = _subpaths(engine, id)
    return [f"{folder}/{name}" for name in os.listdir(folder)] if os.path.isdir(folder) else []


def settle(engine: Engine) -> None:
    """After a restart of the engine: running containers have their mounts, no others stay."""
    paths = [volume.path for volume in engine.volumes.list() if volume.mount is not None]
    mountable = set(paths)
    for container in engine.containers:
        own = subpath_folders(engine, container.id)
        paths += own
        if container.running:
            used = [point.source for point in container.record.mounts if point.type == "volume"]
            for path in (*own, *(each for each in used if each in mountable)):
                engine.mounted.adopt(path, container.id)
    engine.mounted.settle(paths)


def remove_anonymous(engine: Engine, record: ContainerRecord) -> None:
    """With `rm -v`: the volumes that nobody named."""
    for point in record.mounts:
        if point.type == "volume" and point.anonymous and not in_use(engine, point.name, record.id):
            engine.volumes.remove(point.name)


def in_use(engine: Engine, name: str, besides: str = "") -> list[str]:
    """Ids of the containers that mount a volume."""
    return [
        container.id
        for container in engine.containers
        if container.id != besides
        and any(point.type == "volume" and point.name == name for point in container.record.mounts)
    ]
