"""What the API tells about the engine and its machine. Sizes in bytes."""

from typing import ClassVar

import msgspec

from wherry.dockerapi.container_answers import ContainerSummary
from wherry.dockerapi.images import ImageSummary
from wherry.dockerapi.names import go_name
from wherry.dockerapi.volumes import Volume


class PlatformName(msgspec.Struct, frozen=True, rename=go_name):
    """The product's name."""

    name: str = ""


class Component(msgspec.Struct, frozen=True, rename=go_name):
    """A part of the engine and its version."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(("details",))

    name: str
    version: str = ""
    details: dict[str, str] | None = None


class Version(msgspec.Struct, frozen=True, rename=go_name):
    """GET /version."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(
        ("components", "min_api_version", "kernel_version", "experimental", "build_time")
    )

    platform: PlatformName = PlatformName()
    components: tuple[Component, ...] = ()
    version: str = ""
    api_version: str = ""
    min_api_version: str = msgspec.field(name="MinAPIVersion", default="")
    git_commit: str = ""
    go_version: str = ""
    os: str = "linux"
    arch: str = ""
    kernel_version: str = ""
    experimental: bool = False
    build_time: str = ""


class Plugins(msgspec.Struct, frozen=True, rename=go_name):
    """Drivers by their kind."""

    volume: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    authorization: tuple[str, ...] | None = None
    log: tuple[str, ...] = ()


class IndexConfig(msgspec.Struct, frozen=True, rename=go_name):
    """How one registry is reached."""

    name: str
    mirrors: tuple[str, ...] = ()
    secure: bool = True
    official: bool = False


class RegistryConfig(msgspec.Struct, frozen=True, rename=go_name):
    """Mirrors and registries that may be spoken to without TLS."""

    allow_nondistributable_artifacts_cidrs: tuple[str, ...] = msgspec.field(
        name="AllowNondistributableArtifactsCIDRs", default=()
    )
    allow_nondistributable_artifacts_hostnames: tuple[str, ...] = ()
    insecure_registry_cidrs: tuple[str, ...] = msgspec.field(
        name="InsecureRegistryCIDRs", default=()
    )
    index_configs: dict[str, IndexConfig] = {}
    mirrors: tuple[str, ...] = ()


class Runtime(msgspec.Struct, frozen=True):
    """An OCI runtime; status since API 1.44."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(("args", "status"))

    path: str
    args: tuple[str, ...] = msgspec.field(name="runtimeArgs", default=())
    status: dict[str, str] | None = None


class Swarm(msgspec.Struct, frozen=True, rename=go_name):
    """Swarm is not offered: inactive."""

    node_id: str = ""
    node_addr: str = ""
    local_node_state: str = "inactive"
    control_available: bool = False
    error: str = ""
    remote_managers: tuple[str, ...] | None = None


class Commit(msgspec.Struct, frozen=True, rename=go_name):
    """The version of a helper; `expected` until API 1.48."""

    id: str = ""
    expected: str = ""


class AddressPool(msgspec.Struct, frozen=True, rename=go_name):
    """Where new networks take their subnets (CIDR and prefix length) from."""

    base: str
    size: int


class Firewall(msgspec.Struct, frozen=True, rename=go_name):
    """The firewall in use (API 1.49)."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(("info",))

    driver: str
    info: tuple[tuple[str, str], ...] = ()


class Device(msgspec.Struct, frozen=True, rename=go_name):
    """A device that a device driver found (API 1.50)."""

    source: str
    id: str


class Info(msgspec.Struct, frozen=True, rename=go_name):
    """GET /info."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(
        (
            "cgroup_version",
            "product_license",
            "default_address_pools",
            "firewall_backend",
            "discovered_devices",
        )
    )

    id: str = ""
    containers: int = 0
    containers_running: int = 0
    containers_paused: int = 0
    containers_stopped: int = 0
    images: int = 0
    driver: str = ""
    driver_status: tuple[tuple[str, str], ...] = ()
    plugins: Plugins = Plugins()
    memory_limit: bool = False
    swap_limit: bool = False
    kernel_memory: bool = False
    kernel_memory_tcp: bool = msgspec.field(name="KernelMemoryTCP", default=False)
    cpu_cfs_period: bool = False
    cpu_cfs_quota: bool = False
    cpu_shares: bool = msgspec.field(name="CPUShares", default=False)
    cpu_set: bool = msgspec.field(name="CPUSet", default=False)
    pids_limit: bool = False
    ipv4_forwarding: bool = False
    bridge_nf_iptables: bool = False
    bridge_nf_ip6tables: bool = False
    debug: bool = False
    n_fd: int = 0
    oom_kill_disable: bool = False
    n_goroutines: int = 0
    system_time: str = ""
    logging_driver: str = "json-file"
    cgroup_driver: str = ""
    cgroup_version: str = ""
    n_events_listener: int = 0
    kernel_version: str = ""
    operating_system: str = ""
    os_version: str = msgspec.field(name="OSVersion", default="")
    os_type: str = msgspec.field(name="OSType", default="linux")
    architecture: str = ""
    index_server_address: str = "https://index.docker.io/v1/"
    registry_config: RegistryConfig = RegistryConfig()
    ncpu: int = msgspec.field(name="NCPU", default=0)
    mem_total: int = 0
    generic_resources: tuple[str, ...] | None = None
    docker_root_dir: str = ""
    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: str = ""
    name: str = ""
    labels: tuple[str, ...] = ()
    experimental_build: bool = False
    server_version: str = ""
    runtimes: dict[str, Runtime] = {}
    default_runtime: str = ""
    swarm: Swarm = Swarm()
    live_restore_enabled: bool = True
    isolation: str = ""
    init_binary: str = ""
    containerd_commit: Commit = Commit()
    runc_commit: Commit = Commit()
    init_commit: Commit = Commit()
    security_options: tuple[str, ...] = ()
    product_license: str = ""
    default_address_pools: tuple[AddressPool, ...] = ()
    firewall_backend: Firewall | None = None
    cdi_spec_dirs: tuple[str, ...] = msgspec.field(name="CDISpecDirs", default=())
    discovered_devices: tuple[Device, ...] = ()
    warnings: tuple[str, ...] | None = None


class DiskUsage(msgspec.Struct, frozen=True, rename=go_name):
    """GET /system/df; None for a kind that was not asked for (API 1.42)."""

    layers_size: int = 0
    images: tuple[ImageSummary, ...] | None = ()
    containers: tuple[ContainerSummary, ...] | None = ()
    volumes: tuple[Volume, ...] | None = ()
    build_cache: tuple[str, ...] | None = None
    builder_size: int = 0


class LoginAnswer(msgspec.Struct, frozen=True, rename=go_name):
    """POST /auth."""

    identity_token: str = ""
    status: str = "Login Succeeded"


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The body of every error."""

    message: str
