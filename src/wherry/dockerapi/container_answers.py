"""What the API tells about containers. Times are RFC 3339 texts or seconds, sizes bytes.

The values hold every field of every API version; `api.versions` takes out what a version lacks.
"""

from typing import ClassVar

import msgspec

from wherry.dockerapi.containers import ContainerConfig
from wherry.dockerapi.endpoints import EndpointSettings
from wherry.dockerapi.host_config import HostConfig, PortBinding
from wherry.dockerapi.names import go_name
from wherry.kit.clock import ZERO
from wherry.oci.manifest import Descriptor


class HealthResult(msgspec.Struct, frozen=True, rename=go_name):
    """One run of the health check; exit code 0 is healthy."""

    start: str = ZERO
    end: str = ZERO
    exit_code: int = 0
    output: str = ""


class Health(msgspec.Struct, frozen=True, rename=go_name):
    """`starting`, `healthy` or `unhealthy`, with the last five results, oldest first."""

    status: str = ""
    failing_streak: int = 0
    log: tuple[HealthResult, ...] = ()


class State(msgspec.Struct, frozen=True, rename=go_name):
    """Status is created, running, paused, restarting, removing, exited or dead."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(("health",))

    status: str = "created"
    running: bool = False
    paused: bool = False
    restarting: bool = False
    oom_killed: bool = msgspec.field(name="OOMKilled", default=False)
    dead: bool = False
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    started_at: str = ZERO
    finished_at: str = ZERO
    health: Health | None = None


class MountPoint(msgspec.Struct, frozen=True, rename=go_name):
    """A mount that a container has."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(("type", "name", "driver"))

    type: str = ""
    name: str = ""
    source: str = ""
    destination: str = ""
    driver: str = ""
    mode: str = ""
    rw: bool = msgspec.field(name="RW", default=False)
    propagation: str = ""


class GraphDriver(msgspec.Struct, frozen=True, rename=go_name):
    """The snapshotter and its folders."""

    data: dict[str, str] | None = None
    name: str = ""


class Address(msgspec.Struct, frozen=True, rename=go_name):
    """An address with its prefix length."""

    addr: str = ""
    prefix_len: int = 0


class NetworkSettings(msgspec.Struct, frozen=True, rename=go_name):
    """The sandbox, the published ports, the default bridge's addresses, and each network."""

    bridge: str = ""
    sandbox_id: str = ""
    hairpin_mode: bool = False
    link_local_ipv6_address: str = ""
    link_local_ipv6_prefix_len: int = 0
    ports: dict[str, tuple[PortBinding, ...] | None] | None = None
    sandbox_key: str = ""
    secondary_ip_addresses: tuple[Address, ...] | None = None
    secondary_ipv6_addresses: tuple[Address, ...] | None = None
    endpoint_id: str = ""
    gateway: str = ""
    global_ipv6_address: str = ""
    global_ipv6_prefix_len: int = 0
    ip_address: str = ""
    ip_prefix_len: int = 0
    ipv6_gateway: str = ""
    mac_address: str = ""
    networks: dict[str, EndpointSettings] = {}


class ContainerInspect(msgspec.Struct, frozen=True, rename=go_name):
    """GET /containers/{id}/json; sizes only where they were asked for."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(
        ("size_rw", "size_root_fs", "image_manifest_descriptor")
    )

    id: str = msgspec.field(name="Id")
    created: str = ZERO
    path: str = ""
    args: tuple[str, ...] = ()
    state: State = State()
    image: str = ""
    resolv_conf_path: str = ""
    hostname_path: str = ""
    hosts_path: str = ""
    log_path: str = ""
    name: str = ""
    restart_count: int = 0
    driver: str = ""
    platform: str = "linux"
    mount_label: str = ""
    process_label: str = ""
    app_armor_profile: str = ""
    exec_ids: tuple[str, ...] | None = None
    host_config: HostConfig = HostConfig()
    graph_driver: GraphDriver = GraphDriver()
    size_rw: int | None = None
    size_root_fs: int | None = None
    mounts: tuple[MountPoint, ...] = ()
    config: ContainerConfig = ContainerConfig()
    network_settings: NetworkSettings = NetworkSettings()
    image_manifest_descriptor: Descriptor | None = None


class Port(msgspec.Struct, frozen=True, rename=go_name):
    """One exposed or published port; type is tcp, udp or sctp."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(("ip", "public_port"))

    ip: str = ""
    private_port: int = 0
    public_port: int = 0
    type: str = ""


class SummaryHostConfig(msgspec.Struct, frozen=True, omit_defaults=True, rename=go_name):
    """The part of the HostConfig that a list shows."""

    network_mode: str = ""
    annotations: dict[str, str] | None = None


class SummaryNetworkSettings(msgspec.Struct, frozen=True, rename=go_name):
    """The networks of a container in a list."""

    networks: dict[str, EndpointSettings] = {}


class ContainerSummary(msgspec.Struct, frozen=True, rename=go_name):
    """One entry of GET /containers/json; `created` in seconds since the epoch."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(
        ("size_rw", "size_root_fs", "image_manifest_descriptor")
    )

    id: str = msgspec.field(name="Id")
    names: tuple[str, ...] = ()
    image: str = ""
    image_id: str = ""
    command: str = ""
    created: int = 0
    ports: tuple[Port, ...] = ()
    size_rw: int = 0
    size_root_fs: int = 0
    labels: dict[str, str] = {}
    state: str = ""
    status: str = ""
    host_config: SummaryHostConfig = SummaryHostConfig()
    network_settings: SummaryNetworkSettings = SummaryNetworkSettings()
    mounts: tuple[MountPoint, ...] = ()
    image_manifest_descriptor: Descriptor | None = None


class CreateAnswer(msgspec.Struct, frozen=True, rename=go_name):
    """POST /containers/create."""

    id: str = msgspec.field(name="Id")
    warnings: tuple[str, ...] = ()


class UpdateAnswer(msgspec.Struct, frozen=True, rename=go_name):
    """POST /containers/{id}/update."""

    warnings: tuple[str, ...] | None = None


class WaitError(msgspec.Struct, frozen=True, rename=go_name):
    """Why waiting, or the container's removal, failed."""

    message: str = ""


class WaitAnswer(msgspec.Struct, frozen=True, rename=go_name):
    """POST /containers/{id}/wait."""

    error: WaitError | None = None
    status_code: int = 0


class TopAnswer(msgspec.Struct, frozen=True, rename=go_name):
    """GET /containers/{id}/top: the columns of ps, and a row a process."""

    processes: tuple[tuple[str, ...], ...] = ()
    titles: tuple[str, ...] = ()


class Change(msgspec.Struct, frozen=True, rename=go_name):
    """One entry of GET /containers/{id}/changes; kind 0 modified, 1 added, 2 deleted."""

    path: str
    kind: int


class PathStat(msgspec.Struct, frozen=True, rename="camel"):
    """The header X-Docker-Container-Path-Stat; `mode` is Go's os.FileMode."""

    name: str
    size: int
    mode: int
    mtime: str
    link_target: str = ""


class ContainersPruned(msgspec.Struct, frozen=True, rename=go_name):
    """POST /containers/prune."""

    containers_deleted: tuple[str, ...] | None = None
    space_reclaimed: int = 0
