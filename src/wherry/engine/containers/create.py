"""POST /containers/create."""

import os
from typing import NamedTuple

import msgspec

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.engine import egress, host_facts
from wherry.engine.containers import (
    conflicts,
    defaults,
    folders,
    links,
    merge,
    mountpoints,
    ports_and_health,
    validate,
    volumes,
)
from wherry.engine.engine import Engine
from wherry.engine.images import init_layer
from wherry.engine.images.config import image_config
from wherry.engine.naming import check_name, random_name
from wherry.engine.networks.places import planned
from wherry.engine.records import ContainerRecord, EndpointRecord, ImageRecord
from wherry.engine.spec import capabilities, process, resources, security
from wherry.kit import clock, failpoints
from wherry.kit.errors import InvalidInput, NotFound
from wherry.kit.ids import new_id, short_id
from wherry.oci import platform as platforms
from wherry.oci.config import ImageConfig
from wherry.oci.platform import Platform


class Created(NamedTuple):
    """The new container's id, and what was asked for but cannot be had."""

    id: str
    warnings: list[str]


async def create(
    engine: Engine,
    name: str | None,
    request: ContainerCreateRequest,
    platform: str | None,
    *,
    recursive_readonly: bool = False,
) -> Created:
    """Make a container, not yet running. Raises InvalidInput, NoSuchImage, Conflict.

    `recursive_readonly`: a read-only bind is so also below, where the request says nothing.
    """
    found = engine.catalog.find(request.image)
    config = await image_config(engine, found.image)
    warnings = _check_platform(request.image, platform, config, engine.settings.platform)
    host, more = validate.limited(request.host_config, engine.host.cgroup)
    asked = msgspec.structs.replace(request, host_config=host)
    record = _record(engine, name, asked, found.image, config, recursive_readonly)
    await _make(engine, record)
    return Created(record.id, warnings + more)


def _record(
    engine: Engine,
    name: str | None,
    asked: ContainerCreateRequest,
    image: ImageRecord,
    config: ImageConfig,
    recursive: bool,
) -> ContainerRecord:
    """Everything that is decided before anything is made."""
    runtimes = frozenset(["wherry", *(each for each, _ in engine.settings.runtimes)])
    validate.check(asked, runtimes, os.cpu_count() or 1, host_facts.memory_nodes())
    conflicts.check(asked)
    ports_and_health.check(asked)
    asked = _with_ids(engine, asked)
    asked = defaults.resolved(asked, engine.settings.default_runtime, engine.host.cgroup)
    request = merge.merged(asked, config.config)
    _check_buildable(engine, request)
    endpoints = _endpoints(engine, request)
    egress.check(
        request, (engine.networking.book.find(each.network_id).network for each in endpoints)
    )
    id = new_id()
    request = msgspec.structs.replace(request, hostname=_hostname(engine, request, id))
    return ContainerRecord(
        id=id,
        name=check_name(name) if name else random_name(engine.containers),
        created=clock.now(),
        request=request,
        asked=asked,
        image=image.id,
        image_reference=asked.image,
        manifest=image.manifest,
        platform=config.os or "linux",
        mounts=mountpoints.resolve(request, volumes.inherited(engine, request), recursive),
        links=links.resolved(engine, asked),
        endpoints=endpoints,
        runtime=request.host_config.runtime,
        cgroup=cgroup_path(request.host_config.cgroup_parent, id),
    )


def _with_ids(engine: Engine, asked: ContainerCreateRequest) -> ContainerCreateRequest:
    """`container:NAME` with the id in the name's place. Raises NoSuchContainer."""
    host = asked.host_config
    found: dict[str, str] = {}
    for field in ("network_mode", "pid_mode", "ipc_mode"):
        kind, _, ref = getattr(host, field).partition(":")
        if kind == "container":
            found[field] = f"container:{_other(engine, field, ref)}"
    return msgspec.structs.replace(asked, host_config=msgspec.structs.replace(host, **found))


def _other(engine: Engine, field: str, ref: str) -> str:
    """The id of a container to share with; a missing one of IPC or pid is a bad request."""
    try:
        return engine.containers.find(ref).id
    except NotFound as error:
        if field == "network_mode":
            raise
        raise InvalidInput(str(error)) from error


def _hostname(engine: Engine, request: ContainerCreateRequest, id: str) -> str:
    """What was asked for; else that of the network's owner, else the id's first digits."""
    host = request.host_config
    if host.network_mode.startswith("container:"):
        other = engine.containers.find(host.network_mode.removeprefix("container:"))
        return other.record.request.hostname
    if request.hostname:
        return request.hostname
    return os.uname().nodename if host.network_mode == "host" else short_id(id)


def cgroup_path(parent: str, id: str) -> str:
    """Below every hierarchy. A parent of the client's is taken from the root, as dockerd does."""
    if "/../" in f"/{parent}/":
        raise InvalidInput(f"invalid cgroup parent {parent!r}: it must not contain '..'")
    return os.path.join("/", parent.strip("/") or "wherry", id)


def _check_buildable(engine: Engine, request: ContainerCreateRequest) -> None:
    """Find now what would otherwise fail at the start."""
    host = request.host_config
    ports_and_health.check_protocols(request)
    capabilities.granted(
        host.cap_add or [],
        host.cap_drop or [],
        engine.host.capabilities,
        privileged=host.privileged,
    )
    process.rlimits(request)
    resources.device_rules(host, ())
    security.parse(host.security_opt or [])


def _endpoints(engine: Engine, request: ContainerCreateRequest) -> tuple[EndpointRecord, ...]:
    mode = request.host_config.network_mode
    if mode.startswith("container:"):
        engine.containers.find(mode.removeprefix("container:"))
        return ()
    return planned(request, engine.networking.book.find)


def _check_platform(
    image: str, wanted: str | None, config: ImageConfig, ours: Platform
) -> list[str]:
    actual = Platform(config.architecture, config.os or "linux", config.variant)
    if wanted and not platforms.matches(platforms.parse(wanted), actual):
        raise InvalidInput(
            f"image with reference {image} was found but does not match the specified platform: "
            f"wanted {wanted}, actual: {actual}"
        )
    if platforms.matches(ours, actual) or not config.architecture or wanted:
        return []
    return [
        f"The requested image's platform ({actual}) does not match the detected host platform "
        f"({ours}) and no specific platform was requested"
    ]


async def _make(engine: Engine, record: ContainerRecord) -> None:
    """Snapshot, folder, volumes, and then the record: a crash before it leaves only garbage."""
    made: list[str] = []
    try:
        parent = await init_layer.parent_for(engine, engine.catalog.get(record.image))
        await engine.lanes.files(folders.make, engine, record, parent)
        record = await engine.lanes.files(volumes.resolved, engine, record, made)
        if any(point.type == "volume" for point in record.mounts):
            await engine.lanes.long(volumes.populate, engine, record)
        failpoints.reach("create.before-ledger")
        await engine.containers.add(record)
    except BaseException:
        await engine.lanes.files(_unmake, engine, record, made)
        raise


def _unmake(engine: Engine, record: ContainerRecord, made: list[str]) -> None:
    folders.remove(engine, record.id)
    for name in made:
        engine.volumes.remove(name)
