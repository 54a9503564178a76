"""A create request's options as a driver's values, with dockerd's texts. Pure."""

from wherry.dockerapi.networks import NetworkCreateRequest
from wherry.kit.errors import InvalidInput, Unsupported
from wherry.network import ipam
from wherry.network.parent_links import dummy_name

_BRIDGE = "com.docker.network.bridge."
_MTU = "com.docker.network.driver.mtu"
_MODES = ("", "nat", "nat-unprotected", "routed", "isolated")
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def bridge_fields(request: NetworkCreateRequest, id: str) -> dict[str, object]:
    """The fields of a `Network` that the options of a bridge set. Raises InvalidInput.

    Options that nobody knows are kept and shown, as dockerd does it.
    """
    given = request.options or {}
    for family in ("ipv4", "ipv6"):
        _check_gateway_mode(given.get(f"{_BRIDGE}gateway_mode_{family}", ""), family)
    return {
        "bridge": given.get(f"{_BRIDGE}name") or f"wh-{id[:12]}",
        "inter_container": boolean(given, f"{_BRIDGE}enable_icc", default=True),
        "masquerade": boolean(given, f"{_BRIDGE}enable_ip_masquerade", default=True),
        "host_binding_ip": _binding(given.get(f"{_BRIDGE}host_binding_ipv4", "")),
        "mtu": number(given, _MTU),
    }


def _check_gateway_mode(mode: str, family: str) -> None:
    if mode not in _MODES:
        raise InvalidInput(f"unknown gateway mode {mode!r} for {family}: nat")
    if mode not in ("", "nat"):
        raise Unsupported(f"gateway mode {mode} for {family} is not offered: leave it out, or nat")


def _binding(text: str) -> str:
    """`0.0.0.0` is what is meant where nothing is said: IPv4 and IPv6."""
    if not text or text == "0.0.0.0":
        return ""
    return str(ipam.parse_address(text))


def boolean(options: dict[str, str], name: str, *, default: bool) -> bool:
    """An option that is a yes or no, as Go reads it. Raises InvalidInput."""
    value = options.get(name, "")
    if not value:
        return default
    if value not in (*_TRUE, *_FALSE):
        raise InvalidInput(
            f'failed to parse {name} value: {value} (strconv.ParseBool: parsing "{value}": '
            "invalid syntax)"
        )
    return value in _TRUE


def number(options: dict[str, str], name: str) -> int:
    """An option that is a whole number, 0 where it is not given. Raises InvalidInput."""
    value = options.get(name, "")
    if not value:
        return 0
    try:
        return int(value)
    except ValueError as error:
        raise InvalidInput(
            f'failed to parse {name} value: {value} (strconv.Atoi: parsing "{value}": '
            "invalid syntax)"
        ) from error


def parent_fields(request: NetworkCreateRequest, id: str) -> dict[str, object]:
    """The fields that macvlan and ipvlan set. Raises InvalidInput, Unsupported."""
    kind = request.driver
    given = request.options or {}
    mode = given.get(f"{kind}_mode", "")
    if mode not in PARENT_MODES[kind]:
        listed = ", ".join(PARENT_MODES[kind][1:])
        raise InvalidInput(f"unknown {kind} mode {mode!r}: {listed}")
    if given.get("ipvlan_flag", "bridge") not in ("", "bridge"):
        raise Unsupported(f"ipvlan_flag {given['ipvlan_flag']} is not offered: bridge")
    parent = given.get("parent", "")
    if request.internal and parent:
        parent = ""
    return {"parent": parent or dummy_name(id), "mode": mode, "mtu": number(given, _MTU)}


PARENT_MODES = {
    "macvlan": ("", "bridge", "private", "vepa", "passthru"),
    "ipvlan": ("", "l2", "l3", "l3s"),
}
"""Modes by driver; "" is the one after it."""
