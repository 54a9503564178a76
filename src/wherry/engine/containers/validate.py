"""What a create request may ask for, with dockerd's texts. Pure.

`problems` of the client are InvalidInput; what this host cannot limit is dropped with a warning,
as dockerd does it (`limited`).
"""

import re
from typing import Literal

import msgspec

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.host_config import HostConfig
from wherry.engine.containers import log_options
from wherry.engine.containers.signalling import signal_number
from wherry.kit.errors import InvalidInput

MIN_MEMORY = 6 << 20
_RESTARTS = ("", "no", "always", "unless-stopped", "on-failure", "on-unhealthy")
_COUNTED = ("on-failure", "on-unhealthy")


def check(
    request: ContainerCreateRequest, runtimes: frozenset[str], cpus: int, nodes: int = 1
) -> None:
    """Raises InvalidInput, Unsupported."""
    host = request.host_config
    if len(request.hostname) > 63:
        raise InvalidInput(f"invalid hostname format: {request.hostname}")
    for entry in request.env or []:
        if entry.startswith("=") or not entry:
            raise InvalidInput(f"invalid environment variable: {entry}")
    if host.io_maximum_bandwidth or host.io_maximum_iops:
        what = "bandwidth" if host.io_maximum_bandwidth else "IOPs"
        raise InvalidInput(
            f"Invalid QoS settings: linux does not support configuration of maximum {what}"
        )
    check_memory(host)
    check_cpu(host, cpus, nodes)
    check_restart(host)
    _check_modes(host)
    log_options.check(host.log_config)
    for text in host.extra_hosts or []:
        name, separator, address = text.partition(":")
        if not (name and separator and address) and "=" not in text:
            raise InvalidInput(f'bad format for add-host: "{text}"')
    if request.stop_signal:
        signal_number(request.stop_signal)
    if host.runtime and host.runtime not in runtimes:
        raise InvalidInput(f"Unknown runtime specified {host.runtime}")
    if not -1000 <= host.oom_score_adj <= 1000:
        raise InvalidInput(
            f"Invalid value {host.oom_score_adj}, range for oom score adj is [-1000, 1000]"
        )
    if host.shm_size < 0:
        raise InvalidInput("SHM size can not be less than 0")
    if host.isolation not in ("", "default"):
        raise InvalidInput(
            f"Invalid isolation: \"{host.isolation}\" - linux only supports 'default'"
        )


def check_memory(host: HostConfig, *, update: bool = False) -> None:
    """Memory limits against each other; an update may name some of them only."""
    memory, swap = host.memory, host.memory_swap
    if memory and memory < MIN_MEMORY:
        raise InvalidInput("Minimum memory limit allowed is 6MB")
    if swap < -1:
        raise InvalidInput(f"Invalid value: memory swap {swap}, -1 is unlimited")
    if memory > 0 and 0 < swap < memory:
        raise InvalidInput("Minimum memoryswap limit should be larger than memory limit, see usage")
    if memory == 0 and swap > 0 and not update:
        raise InvalidInput(
            "You should always set the Memory limit when using Memoryswap limit, see usage"
        )
    swappiness = host.memory_swappiness
    if swappiness is not None and not -1 <= swappiness <= 100:
        raise InvalidInput(f"Invalid value: {swappiness}, valid memory swappiness range is 0-100")
    if 0 < host.memory_reservation < MIN_MEMORY:
        raise InvalidInput("Minimum memory reservation allowed is 6MB")
    if 0 < memory < host.memory_reservation:
        raise InvalidInput(
            "Minimum memory limit can not be less than memory reservation limit, see usage"
        )


def check_cpu(host: HostConfig, cpus: int, nodes: int = 1) -> None:
    """CPU limits against each other and against the machine."""
    if host.nano_cpus > 0 and (host.cpu_period > 0 or host.cpu_quota > 0):
        other = "CPU Period" if host.cpu_period > 0 else "CPU Quota"
        raise InvalidInput(f"Conflicting options: Nano CPUs and {other} cannot both be set")
    if host.nano_cpus < 0 or host.nano_cpus > cpus * 1_000_000_000:
        raise InvalidInput(
            f"Range of CPUs is from 0.01 to {cpus}.00, as there are only {cpus} CPUs available"
        )
    if host.cpu_period != 0 and not 1000 <= host.cpu_period <= 1_000_000:
        raise InvalidInput(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
        )
    if 0 < host.cpu_quota < 1000:
        raise InvalidInput("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    if host.cpu_shares < 0:
        raise InvalidInput(f"Invalid value {host.cpu_shares}: CPU shares cannot be negative")
    if host.cpu_realtime_period and host.cpu_realtime_runtime > host.cpu_realtime_period:
        raise InvalidInput("cpu real-time runtime cannot be higher than cpu real-time period")
    _check_set(host.cpuset_cpus, cpus, "cpus")
    _check_set(host.cpuset_mems, nodes, "mems")
    if host.blkio_weight and not 10 <= host.blkio_weight <= 1000:
        raise InvalidInput("Range of blkio weight is from 10 to 1000")
    if host.io_maximum_bandwidth or host.io_maximum_iops:
        raise InvalidInput(
            "Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps"
        )


def _check_set(text: str, count: int, what: str) -> None:
    if not text:
        return
    if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", text):
        raise InvalidInput(f"Invalid value {text} for cpuset {what}: invalid format: {text}")
    if any(int(number) >= count for number in re.findall(r"\d+", text)):
        names = "CPUs" if what == "cpus" else "memory nodes"
        available = "0" if count == 1 else f"0-{count - 1}"
        raise InvalidInput(
            f"Requested {names} are not available - requested {text}, available: {available}"
        )


def check_restart(host: HostConfig) -> None:
    """The restart policy."""
    policy = host.restart_policy
    if policy.name not in _RESTARTS:
        raise InvalidInput(f"invalid restart policy '{policy.name}'")
    if policy.maximum_retry_count and policy.name not in _COUNTED:
        raise InvalidInput(
            f"maximum retry count cannot be used with restart policy '{policy.name}'"
        )
    if policy.maximum_retry_count < 0:
        raise InvalidInput("maximum retry count cannot be negative")
    if host.auto_remove and policy.name not in ("", "no"):
        raise InvalidInput("can't create 'AutoRemove' container with restart policy")


def _check_modes(host: HostConfig) -> None:
    if host.pid_mode not in ("", "host") and not host.pid_mode.startswith("container:"):
        raise InvalidInput(f"invalid PID mode: {host.pid_mode}")
    if host.uts_mode not in ("", "host"):
        raise InvalidInput(f"invalid UTS mode: {host.uts_mode}")
    if host.cgroupns_mode not in ("", "host", "private"):
        raise InvalidInput(f"invalid cgroup namespace mode: {host.cgroupns_mode}")
    if host.userns_mode not in ("", "host"):
        raise InvalidInput(f"invalid USER mode: {host.userns_mode}")
    known = ("", "private", "host", "shareable", "none")
    if host.ipc_mode not in known and not host.ipc_mode.startswith("container:"):
        raise InvalidInput(f"Invalid IPC mode: {host.ipc_mode}")


_LIMITS = (
    ("memory", "memory limit", "Memory"),
    ("memory_reservation", "memory soft limit", "Memory soft limit"),
    ("nano_cpus", "CPU cfs period/quota or the cgroup is not mounted", "NanoCPUs"),
    ("cpu_shares", "CPU shares or the cgroup is not mounted", "Shares"),
    ("cpu_period", "CPU cfs period or the cgroup is not mounted", "Period"),
    ("cpu_quota", "CPU cfs quota or the cgroup is not mounted", "Quota"),
    ("cpuset_cpus", "cpuset or the cgroup is not mounted", "Cpuset"),
    ("cpuset_mems", "cpuset or the cgroup is not mounted", "Cpuset"),
    ("blkio_weight", "Block I/O weight or the cgroup is not mounted", "Weight"),
    ("pids_limit", "pids limit or the cgroup is not mounted", "PIDs limit"),
)


def limited(host: HostConfig, cgroup: Literal["v1", "v2", "none"]) -> tuple[HostConfig, list[str]]:
    """The config without what this host cannot limit, and a warning for each."""
    warnings: list[str] = []
    if host.oom_kill_disable and (host.memory == 0 or cgroup == "v2"):
        warnings.append(
            "OOM killer is disabled for the container, but no memory limit is set, "
            "this can result in the system running out of resources."
            if cgroup != "v2"
            else "Your kernel does not support OomKillDisable. OomKillDisable discarded."
        )
    if host.kernel_memory:
        warnings.append(
            "Specifying a kernel memory limit is deprecated and will be removed "
            "in a future release."
        )
    if host.cpu_percent > 0:
        warnings.append("linux does not support CPU percent. Percent discarded.")
        host = msgspec.structs.replace(host, cpu_percent=0)
    if host.network_mode == "host" and host.port_bindings:
        warnings.append("Published ports are discarded when using host network mode")
    if cgroup != "none":
        return host, warnings
    dropped: dict[str, object] = {}
    for field, what, name in _LIMITS:
        value = getattr(host, field)
        if value and value != -1:
            warnings.append(
                f"Your kernel does not support {what} capabilities or the cgroup is not mounted. "
                f"{name} discarded."
                if field == "memory"
                else f"Your kernel does not support {what}. {name} discarded."
            )
            dropped[field] = None if field == "pids_limit" else type(value)()
    if "memory" in dropped:
        dropped["memory_swap"] = 0
    return msgspec.structs.replace(host, **dropped), warnings
