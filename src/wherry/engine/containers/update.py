"""POST /containers/{id}/update: new limits and restart policy for a container.

As in dockerd only some of the fields of a request can be changed (`CHANGEABLE`); the others are
checked and then left as they are. Zero and null mean: stay.
"""

import os
from typing import Literal

import msgspec

from wherry.dockerapi.containers import UpdateRequest
from wherry.dockerapi.host_config import HostConfig, Resources
from wherry.engine import host_facts
from wherry.engine.containers import validate
from wherry.engine.containers.cgroup import placed
from wherry.engine.containers.container import Container
from wherry.engine.engine import Engine
from wherry.engine.records import ContainerRecord
from wherry.engine.registry import happened
from wherry.engine.spec.resources import resources
from wherry.kit.errors import Conflict, WherryError
from wherry.runtime.resources import parse_resources

CHANGEABLE = (
    "blkio_weight", "cpu_shares", "nano_cpus", "cpu_period", "cpu_quota", "cpuset_cpus",
    "cpuset_mems", "memory", "memory_swap", "memory_reservation", "kernel_memory",
    "cpu_realtime_period", "cpu_realtime_runtime", "pids_limit",
)  # fmt: skip


async def update(engine: Engine, ref: str, request: UpdateRequest) -> list[str]:
    """Warnings. Raises NoSuchContainer, Conflict, InvalidInput (limits that cannot be)."""
    container = engine.containers.find(ref)
    asked, warnings = wanted(request, engine.host.cgroup)
    async with container.lock:
        if container.removed or container.state.status in ("removing", "dead"):
            raise _cannot(container, 'container is marked for removal and cannot be "update"')
        record = container.record
        problem = conflict(record.request.host_config, asked)
        if problem:
            raise _cannot(container, problem)
        record = _changed(record, asked)
        if container.running and engine.host.cgroup != "none":
            warnings += await _apply(engine, container, record, asked)
        await engine.containers.update(container, record, happened(record, "update"))
    return warnings


def _cannot(container: Container, problem: str) -> Conflict:
    return Conflict(f"Cannot update container {container.id}: {problem}")


def wanted(
    request: UpdateRequest, cgroup: Literal["v1", "v2", "none"]
) -> tuple[HostConfig, list[str]]:
    """What is asked for, without what this host cannot limit. Pure but for the host's size.

    Raises InvalidInput.
    """
    values = {name: getattr(request, name) for name in Resources.__struct_fields__}
    host = HostConfig(**values, restart_policy=request.restart_policy)
    validate.check_memory(host, update=True)
    validate.check_cpu(host, os.cpu_count() or 1, host_facts.memory_nodes())
    validate.check_restart(host)
    return validate.limited(host, cgroup)


def conflict(now: HostConfig, asked: HostConfig) -> str:
    """Why what is asked for does not go with what there is, in dockerd's words; or nothing."""
    cpus = "Conflicting options: {} cannot be updated as {} has already been set"
    if asked.nano_cpus > 0 and now.cpu_period > 0:
        return cpus.format("Nano CPUs", "CPU Period")
    if asked.nano_cpus > 0 and now.cpu_quota > 0:
        return cpus.format("Nano CPUs", "CPU Quota")
    if asked.cpu_period > 0 and now.nano_cpus > 0:
        return cpus.format("CPU Period", "NanoCPUs")
    if asked.cpu_quota > 0 and now.nano_cpus > 0:
        return cpus.format("CPU Quota", "NanoCPUs")
    if asked.memory and asked.memory > now.memory_swap and not asked.memory_swap:
        return (
            "Memory limit should be smaller than already set memoryswap limit, "
            "update the memoryswap at the same time"
        )
    if now.auto_remove and asked.restart_policy.name not in ("", "no"):
        return "Restart policy cannot be updated because AutoRemove is enabled for the container"
    return ""


async def _apply(
    engine: Engine, container: Container, record: ContainerRecord, asked: HostConfig
) -> list[str]:
    """Set the limits that are asked for; the kernel's refusal is told with the container's name."""
    swap = record.request.host_config.memory_swap if asked.memory else asked.memory_swap
    only = {name: getattr(asked, name) for name in CHANGEABLE}
    limits = dict(resources(HostConfig(**{**only, "memory_swap": swap}), ()))
    limits.pop("devices", None)
    place = placed(engine, container)
    try:
        return await engine.lanes.files(place.apply, parse_resources(limits))
    except WherryError as error:
        raise type(error)(f"Cannot update container {container.id}: {error}") from error


def _changed(record: ContainerRecord, asked: HostConfig) -> ContainerRecord:
    """The record with the fields that the request sets. Pure."""
    fields = {
        name: value
        for name in CHANGEABLE
        if (value := getattr(asked, name)) != getattr(Resources(), name)
    }
    if asked.restart_policy.name:
        fields["restart_policy"] = asked.restart_policy

    def with_fields(host: HostConfig) -> HostConfig:
        return msgspec.structs.replace(host, **fields)

    changed = msgspec.structs.replace(
        record.request, host_config=with_fields(record.request.host_config)
    )
    kept = msgspec.structs.replace(record.asked, host_config=with_fields(record.asked.host_config))
    return msgspec.structs.replace(record, request=changed, asked=kept)
