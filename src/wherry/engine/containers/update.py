"""POST /containers/{id}/update: new limits and restart policy for a container."""

import os

import msgspec

from wherry.dockerapi.containers import UpdateRequest
from wherry.dockerapi.host_config import HostConfig, Resources
from wherry.engine.containers import validate
from wherry.engine.containers.cgroup import placed
from wherry.engine.engine import Engine
from wherry.engine.records import ContainerRecord
from wherry.engine.registry import happened
from wherry.engine.spec.resources import resources
from wherry.kit.errors import Conflict
from wherry.runtime.resources import parse_resources


async def update(engine: Engine, ref: str, request: UpdateRequest) -> list[str]:
    """Warnings. Raises NoSuchContainer, Conflict, InvalidInput (limits that cannot be)."""
    container = engine.containers.find(ref)
    async with container.lock:
        if container.removed or container.state.status in ("removing", "dead"):
            raise Conflict(f'container is marked for removal and cannot be "update": {ref}')
        record = _changed(container.record, request)
        host = record.request.host_config
        validate.check_memory(host)
        validate.check_cpu(host, os.cpu_count() or 1)
        validate.check_restart(host)
        _, warnings = validate.limited(host, engine.host.cgroup)
        if container.running and engine.host.cgroup != "none":
            limits = dict(resources(host, ()))
            limits.pop("devices", None)
            place = placed(engine, container)
            warnings += await engine.lanes.files(place.apply, parse_resources(limits))
        await engine.containers.update(container, record, happened(record, "update"))
        return warnings


def _changed(record: ContainerRecord, request: UpdateRequest) -> ContainerRecord:
    """The record with the fields that the request sets. Pure."""
    fields = {
        name: value
        for name in Resources.__struct_fields__
        if (value := getattr(request, name)) != getattr(Resources(), name)
    }
    if request.restart_policy.name:
        fields["restart_policy"] = request.restart_policy

    def with_fields(host: HostConfig) -> HostConfig:
        return msgspec.structs.replace(host, **fields)

    changed = msgspec.structs.replace(
        record.request, host_config=with_fields(record.request.host_config)
    )
    asked = msgspec.structs.replace(record.asked, host_config=with_fields(record.asked.host_config))
    return msgspec.structs.replace(record, request=changed, asked=asked)
