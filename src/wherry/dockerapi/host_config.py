"""What a container gets from its host: limits, namespaces, mounts, ports, policies.

All types read absent and null fields as Go's zero values. Sizes are in bytes, CPU times in
microseconds, `nano_cpus` in billionths of a CPU.
"""

from typing import Annotated, ClassVar

import msgspec

from wherry.dockerapi.mounts import Mount
from wherry.dockerapi.names import go_name

StringOrList = Annotated[list[str], msgspec.Meta(extra={"string_or_list": True})]
"""A list that old clients write as one string."""
UInt16 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
UInt64 = Annotated[int, msgspec.Meta(ge=0, extra={"width": "uint64"})]
UInt = Annotated[int, msgspec.Meta(ge=0, extra={"width": "uint"})]


class RestartPolicy(msgspec.Struct, frozen=True, rename=go_name):
    """When a container is started again: `no`, `always`, `on-failure`, `unless-stopped`.

    `on-unhealthy` is this engine's own: after a failure, and when the health check says unhealthy,
    at most `maximum_retry_count` times in a row (0: always).
    """

    name: str = ""
    maximum_retry_count: int = 0


class LogConfig(msgspec.Struct, frozen=True, rename=go_name):
    """Logging driver and its options."""

    type: str = ""
    config: dict[str, str] | None = None


class PortBinding(msgspec.Struct, frozen=True):
    """One address and port (or range, or nothing: any) of the host."""

    host_ip: str = msgspec.field(name="HostIp", default="")
    host_port: str = msgspec.field(name="HostPort", default="")


class WeightDevice(msgspec.Struct, frozen=True, rename=go_name):
    """Block I/O weight (10-1000) of one device."""

    path: str = ""
    weight: UInt16 = 0


class ThrottleDevice(msgspec.Struct, frozen=True, rename=go_name):
    """Bytes or operations per second of one device."""

    path: str = ""
    rate: UInt64 = 0


class DeviceMapping(msgspec.Struct, frozen=True, rename=go_name):
    """A device node of the host in the container; permissions out of `rwm`."""

    path_on_host: str = ""
    path_in_container: str = ""
    cgroup_permissions: str = ""


class DeviceRequest(msgspec.Struct, frozen=True, rename=go_name):
    """Devices by a driver's terms; `capabilities` is an OR of ANDs."""

    driver: str = ""
    count: int = 0
    device_ids: list[str] | None = None
    capabilities: list[list[str]] | None = None
    options: dict[str, str] | None = None


class Ulimit(msgspec.Struct, frozen=True, rename=go_name):
    """An rlimit by its short name (`nofile`); -1 is unlimited."""

    __go_type__: ClassVar[str] = "units.Ulimit"

    name: str = ""
    hard: int = 0
    soft: int = 0


class Resources(msgspec.Struct, frozen=True, rename=go_name):
    """Limits that can also be changed later by an update."""

    cpu_shares: int = 0
    memory: int = 0
    nano_cpus: int = 0
    cgroup_parent: str = ""
    blkio_weight: UInt16 = 0
    blkio_weight_device: list[WeightDevice] | None = None
    blkio_device_read_bps: list[ThrottleDevice] | None = None
    blkio_device_write_bps: list[ThrottleDevice] | None = None
    blkio_device_read_iops: list[ThrottleDevice] | None = None
    blkio_device_write_iops: list[ThrottleDevice] | None = None
    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_realtime_period: int = 0
    cpu_realtime_runtime: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    devices: list[DeviceMapping] | None = None
    device_cgroup_rules: list[str] | None = None
    device_requests: list[DeviceRequest] | None = None
    kernel_memory: int = 0
    """Until API 1.41."""
    kernel_memory_tcp: int = msgspec.field(name="KernelMemoryTCP", default=0)
    """Until API 1.41."""
    memory_reservation: int = 0
    memory_swap: int = 0
    memory_swappiness: int | None = None
    oom_kill_disable: bool | None = None
    pids_limit: int | None = None
    ulimits: list[Ulimit] | None = None
    cpu_count: int = 0
    cpu_percent: int = 0
    io_maximum_iops: UInt64 = 0
    io_maximum_bandwidth: UInt64 = 0


class HostConfig(Resources, frozen=True, rename=go_name):
    """The whole HostConfig."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(
        ("storage_opt", "tmpfs", "sysctls", "runtime", "mounts", "init", "annotations")
    )
    __inherited_after__: ClassVar[str] = "isolation"

    binds: list[str] | None = None
    container_id_file: str = ""
    log_config: LogConfig = LogConfig()
    network_mode: str = ""
    port_bindings: dict[str, list[PortBinding] | None] | None = None
    restart_policy: RestartPolicy = RestartPolicy()
    auto_remove: bool = False
    volume_driver: str = ""
    volumes_from: list[str] | None = None
    cap_add: StringOrList | None = None
    cap_drop: StringOrList | None = None
    cgroupns_mode: str = ""
    dns: list[str] | None = None
    dns_options: list[str] | None = None
    dns_search: list[str] | None = None
    extra_hosts: list[str] | None = None
    group_add: list[str] | None = None
    ipc_mode: str = ""
    cgroup: str = ""
    links: list[str] | None = None
    oom_score_adj: int = 0
    pid_mode: str = ""
    privileged: bool = False
    publish_all_ports: bool = False
    readonly_rootfs: bool = False
    security_opt: list[str] | None = None
    storage_opt: dict[str, str] | None = None
    tmpfs: dict[str, str] | None = None
    uts_mode: str = ""
    userns_mode: str = ""
    shm_size: int = 0
    sysctls: dict[str, str] | None = None
    runtime: str = ""
    console_size: tuple[UInt, UInt] = (0, 0)
    """Height, width."""
    isolation: str = ""
    mounts: list[Mount] | None = None
    masked_paths: list[str] | None = None
    readonly_paths: list[str] | None = None
    init: bool | None = None
    annotations: dict[str, str] | None = None
    """Since API 1.43."""
