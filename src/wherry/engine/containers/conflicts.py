"""Options of a create request that exclude each other, with dockerd's texts. Pure."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.kit.errors import InvalidInput
from wherry.linux.rtnetlink import packed_mac
from wherry.network.resolv import check_extra_host


def check(request: ContainerCreateRequest) -> None:
    """Raises InvalidInput for the first pair that cannot be had together."""
    host = request.host_config
    mode = host.network_mode
    if mode.split(":")[0] == "container":
        _check_shared_network(request)
    if mode == "host" and request.mac_address:
        raise InvalidInput("conflicting options: mac-address and the network mode")
    if host.uts_mode == "host" and request.hostname:
        raise InvalidInput("conflicting options: hostname and the UTS mode")
    for option in host.storage_opt or ():
        if option != "size":
            raise InvalidInput(f"Unknown option {option}")
    if host.storage_opt:
        raise InvalidInput(
            "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"
        )
    _check_mac(request.mac_address)
    for line in host.extra_hosts or ():
        check_extra_host(line)
    for settings in (request.networking_config.endpoints_config or {}).values():
        if settings:
            _check_mac(settings.mac_address)
        if settings and settings.ipam_config:
            _check_address(settings.ipam_config.ipv4_address, "IPv4", IPv4Address)
            _check_address(settings.ipam_config.ipv6_address, "IPv6", IPv6Address)


def _check_mac(text: str) -> None:
    try:
        if text:
            packed_mac(text)
    except ValueError as error:
        raise InvalidInput(f"address {text}: invalid MAC address") from error


def _check_address(text: str, kind: str, of: Callable[[str], object]) -> None:
    try:
        if text:
            of(text)
    except ValueError as error:
        raise InvalidInput(f"invalid {kind} address: {text}") from error


def _check_shared_network(request: ContainerCreateRequest) -> None:
    """What belongs to the owner of a network namespace cannot be set by who joins it."""
    host = request.host_config
    if not host.network_mode.removeprefix("container").strip(":"):
        raise InvalidInput("Invalid network mode: invalid container format container:<name|id>")
    for given, text in (
        (request.hostname, "hostname and the network mode"),
        (host.dns, "dns and the network mode"),
        (host.extra_hosts, "custom host-to-IP mapping and the network mode"),
        (request.mac_address, "mac-address and the network mode"),
        (
            host.port_bindings or host.publish_all_ports,
            "port publishing and the container type network mode",
        ),
        (request.exposed_ports, "port exposing and the container type network mode"),
    ):
        if given:
            raise InvalidInput(f"conflicting options: {text}")
