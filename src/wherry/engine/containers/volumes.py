"""A container's volumes: made when missing, filled from the image when new, removed with it."""

import os

import msgspec

from wherry.engine import rootfs
from wherry.engine.engine import Engine
from wherry.engine.records import ContainerRecord, MountPoint
from wherry.kit.errors import InvalidInput, NotFound
from wherry.linux.path import open_in_root
from wherry.volume.copyup import copy_up


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
        volume = engine.volumes.create(point.name, anonymous=point.anonymous)
        made.append(point.name)
        return volume.path


def populate(engine: Engine, record: ContainerRecord) -> None:
    """Copy what the image has at a new volume's place into the volume. Blocking."""
    wanted = [
        point
        for point in record.mounts
        if point.type == "volume" and not point.no_copy and not os.listdir(point.source)
    ]
    if not wanted:
        return
    with rootfs.opened(engine.snapshots.mounts(record.id)) as root:
        for point in wanted:
            _copy(root, point)


def _copy(root: int, point: MountPoint) -> None:
    try:
        source = open_in_root(root, point.destination, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        copy_up(source, point.source)
    finally:
        os.close(source)


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
