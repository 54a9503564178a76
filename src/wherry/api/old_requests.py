"""What a create request means in the version it was written for.

Later fields of an older version are ignored or refused as dockerd does, and old fields are moved to
where they live now, so that the engine sees one form only.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from msgspec.structs import replace

from wherry.dockerapi.containers import ContainerCreateRequest, UpdateRequest
from wherry.dockerapi.endpoints import EndpointSettings, NetworkingConfig
from wherry.dockerapi.host_config import HostConfig
from wherry.dockerapi.mounts import Mount
from wherry.dockerapi.version import ApiVersion
from wherry.kit.errors import InvalidInput

MAC_WARNING: Final = (
    "The container-wide MacAddress field is now deprecated. It should be specified in"
    " EndpointsConfig instead."
)
VOLUME_DRIVER_WARNING: Final = (
    "WARNING: the container-wide volume-driver configuration is ignored for volumes specified via"
    " 'mount'. Use '--mount type=volume,volume-driver=...' instead"
)
_CPU_SHARES: Final = (2, 262_144)
"""What the kernel takes (sched/core.c, MIN_SHARES and MAX_SHARES)."""


class Adapted(NamedTuple):
    """A request in today's form, and what its writer should know."""

    request: ContainerCreateRequest
    warnings: tuple[str, ...]


def create(request: ContainerCreateRequest, version: ApiVersion) -> Adapted:
    """Raises InvalidInput for what the version does not allow."""
    check_mounts(request.host_config.mounts or [], version)
    host = host_config(request.host_config, version)
    check = request.healthcheck
    if check is not None and version < (1, 44):
        request = replace(request, healthcheck=replace(check, start_interval=0))
    request = replace(
        request,
        host_config=host,
        networking_config=networking(request.networking_config, version),
    )
    request, mac_warning = _mac_address(request, version)
    warnings = (mac_warning, _volume_driver_warning(host, version))
    return Adapted(request, tuple(warning for warning in warnings if warning))


def host_config(host: HostConfig, version: ApiVersion) -> HostConfig:
    """The host's part, by the rules of the version."""
    if host.pids_limit is not None and host.pids_limit <= 0:
        host = replace(host, pids_limit=None)
    for end, change in _BEFORE:
        if version < end:
            host = change(host)
    if version >= (1, 42):
        host = replace(host, kernel_memory=0)
    return host


def _before_1_19(host: HostConfig) -> HostConfig:
    least, most = _CPU_SHARES
    shares = host.cpu_shares
    return replace(host, cpu_shares=min(max(shares, least), most) if shares else 0)


def _before_1_25(host: HostConfig) -> HostConfig:
    return replace(host, auto_remove=False)  # the client removed the container itself


def _before_1_40(host: HostConfig) -> HostConfig:
    mounts = _each_bind(host.mounts, non_recursive=False)
    mode = host.ipc_mode or "shareable"
    return replace(host, mounts=mounts, ipc_mode=mode, kernel_memory_tcp=0)


def _before_1_42(host: HostConfig) -> HostConfig:
    mounts = _each_bind(host.mounts, create_mountpoint=False)
    return replace(host, mounts=mounts and [_own_options(mount) for mount in mounts])


def _before_1_43(host: HostConfig) -> HostConfig:
    return replace(host, annotations=None)


def _before_1_44(host: HostConfig) -> HostConfig:
    """Read-only binds were not recursive."""
    return replace(host, mounts=host.mounts and [_read_only(mount) for mount in host.mounts])


_BEFORE: Final[tuple[tuple[ApiVersion, Callable[[HostConfig], HostConfig]], ...]] = (
    (ApiVersion(1, 19), _before_1_19),
    (ApiVersion(1, 25), _before_1_25),
    (ApiVersion(1, 40), _before_1_40),
    (ApiVersion(1, 42), _before_1_42),
    (ApiVersion(1, 43), _before_1_43),
    (ApiVersion(1, 44), _before_1_44),
)


def _each_bind(mounts: list[Mount] | None, **changes: bool) -> list[Mount] | None:
    return mounts and [
        replace(mount, bind_options=replace(mount.bind_options, **changes))
        if mount.bind_options
        else mount
        for mount in mounts
    ]


def _own_options(mount: Mount) -> Mount:
    """Options of another type were not looked at."""
    return replace(
        mount,
        bind_options=mount.bind_options if mount.type == "bind" else None,
        volume_options=mount.volume_options if mount.type == "volume" else None,
        tmpfs_options=mount.tmpfs_options if mount.type == "tmpfs" else None,
    )


def _read_only(mount: Mount) -> Mount:
    options = mount.bind_options
    if options is None or not options.read_only_non_recursive:
        return mount
    return replace(mount, bind_options=replace(options, read_only_non_recursive=False))


def check_mounts(mounts: list[Mount], version: ApiVersion) -> None:
    """Raises InvalidInput for options that are newer than the version, or of another type."""
    for mount in mounts:
        if version >= (1, 42):
            _check_options(mount)
        if version < (1, 44) and mount.bind_options and mount.type == "bind":
            _refuse(
                mount.bind_options.read_only_force_recursive,
                "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer",
            )
        options = mount.volume_options
        _refuse(
            version < (1, 45) and bool(options and options.subpath),
            "VolumeOptions.Subpath needs API v1.45 or newer",
        )
        _refuse(
            version < (1, 48) and mount.type == "image",
            'Mount type "Image" needs API v1.48 or newer',
        )


def _check_options(mount: Mount) -> None:
    for name, options, kind in (
        ("VolumeOptions", mount.volume_options, "volume"),
        ("BindOptions", mount.bind_options, "bind"),
        ("TmpfsOptions", mount.tmpfs_options, "tmpfs"),
    ):
        _refuse(
            options is not None and mount.type != kind,
            f'{name} must not be specified on mount type "{mount.type}"',
        )


def _refuse(wrong: bool, text: str) -> None:
    if wrong:
        raise InvalidInput(text)


def networking(config: NetworkingConfig, version: ApiVersion) -> NetworkingConfig:
    """Raises InvalidInput for several networks before 1.44."""
    endpoints = dict(config.endpoints_config or {})
    if version < (1, 44) and len(endpoints) > 1:
        raise InvalidInput(
            f"Container cannot be connected to network endpoints: {', '.join(endpoints)}"
        )
    if version < (1, 48):
        endpoints = {
            name: endpoint and replace(endpoint, gw_priority=0)
            for name, endpoint in endpoints.items()
        }
    if config.endpoints_config is None:
        return config
    return replace(config, endpoints_config=endpoints)


def _mac_address(
    request: ContainerCreateRequest, version: ApiVersion
) -> tuple[ContainerCreateRequest, str]:
    """The container-wide address moves to the endpoint of the container's main network."""
    wanted, mode = request.mac_address, request.host_config.network_mode
    if not wanted:
        return (_without_macs(request) if version < (1, 44) else request), ""
    if mode in ("host", "none") or mode.startswith("container:"):
        raise InvalidInput("conflicting options: mac-address and the network mode")
    request = _with_mac(request, mode, wanted)
    return request, MAC_WARNING if version >= (1, 44) else ""


def _without_macs(request: ContainerCreateRequest) -> ContainerCreateRequest:
    endpoints = request.networking_config.endpoints_config
    if not endpoints:
        return request
    cleared = {
        name: endpoint and replace(endpoint, mac_address="") for name, endpoint in endpoints.items()
    }
    return replace(request, networking_config=NetworkingConfig(cleared))


def _with_mac(request: ContainerCreateRequest, mode: str, mac: str) -> ContainerCreateRequest:
    endpoints = dict(request.networking_config.endpoints_config or {})
    name = mode if mode in endpoints or len(endpoints) != 1 else next(iter(endpoints))
    endpoint = endpoints.get(name) or EndpointSettings()
    if endpoint.mac_address not in ("", mac):
        raise InvalidInput(
            "the container-wide MAC address must match the endpoint-specific MAC address for the"
            " main network, or be left empty"
        )
    endpoints[name] = replace(endpoint, mac_address=mac)
    return replace(request, networking_config=NetworkingConfig(endpoints))


def _volume_driver_warning(host: HostConfig, version: ApiVersion) -> str:
    if not host.volume_driver or version < (1, 48):
        return ""
    for mount in host.mounts or ():
        driver = mount.volume_options and mount.volume_options.driver_config
        if mount.type == "volume" and not (driver and driver.name):
            return VOLUME_DRIVER_WARNING
    return ""


def update(request: UpdateRequest, version: ApiVersion) -> UpdateRequest:
    """POST /containers/{id}/update: 0 and -1 processes both mean unlimited."""
    if version < (1, 40):
        request = replace(request, pids_limit=None)
    if version >= (1, 42):
        request = replace(request, kernel_memory=0)
    if request.pids_limit is not None and request.pids_limit <= 0:
        request = replace(request, pids_limit=0)
    return request
