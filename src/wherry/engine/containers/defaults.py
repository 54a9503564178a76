"""What a create request means where it says nothing. Pure; the result is kept in the ledger."""

from typing import Literal

import msgspec

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.host_config import HostConfig, LogConfig
from wherry.engine.spec.mounts import DEFAULT_SHM, MASKED, READONLY


def resolved(
    request: ContainerCreateRequest, runtime: str, cgroup: Literal["v1", "v2", "none"]
) -> ContainerCreateRequest:
    """Dockerd's defaults, those that inspect shows."""
    host = request.host_config
    private = cgroup == "v2"
    filled = msgspec.structs.replace(
        host,
        network_mode=host.network_mode or "default",
        ipc_mode=host.ipc_mode or "private",
        cgroupns_mode=host.cgroupns_mode or ("private" if private else "host"),
        shm_size=host.shm_size or DEFAULT_SHM,
        log_config=LogConfig(host.log_config.type or "json-file", host.log_config.config or {}),
        runtime=host.runtime or runtime,
        oom_kill_disable=bool(host.oom_kill_disable) if cgroup != "v2" else None,
        memory_swappiness=None if host.memory_swappiness == -1 else host.memory_swappiness,
        memory_swap=host.memory_swap or host.memory * 2,
        security_opt=_security(host),
        **_paths(host),
    )
    return msgspec.structs.replace(request, host_config=filled)


def _security(host: HostConfig) -> list[str] | None:
    """What shares the host's processes or IPC, or is privileged, gets no label of its own."""
    given = host.security_opt or []
    if any(option.split("=")[0] == "label" for option in given):
        return host.security_opt
    if "host" in (host.ipc_mode, host.pid_mode) or host.privileged:
        return [*given, "label=disable"]
    return host.security_opt


def _paths(host: HostConfig) -> dict[str, list[str] | None]:
    open_paths = host.privileged or "systempaths=unconfined" in (host.security_opt or [])
    if open_paths:
        return {"masked_paths": None, "readonly_paths": None}
    return {
        "masked_paths": MASKED if host.masked_paths is None else host.masked_paths,
        "readonly_paths": READONLY if host.readonly_paths is None else host.readonly_paths,
    }
