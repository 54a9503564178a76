"""Networks as the API shows and creates them."""

import msgspec

from wherry.dockerapi.names import go_name
from wherry.kit.clock import ZERO


class IpamPool(msgspec.Struct, frozen=True, omit_defaults=True, rename=go_name):
    """One subnet (CIDR) with its range, gateway and reserved addresses."""

    subnet: str = ""
    ip_range: str = ""
    gateway: str = ""
    auxiliary_addresses: dict[str, str] | None = None


class Ipam(msgspec.Struct, frozen=True, rename=go_name):
    """How a network gives addresses."""

    driver: str = "default"
    options: dict[str, str] | None = None
    config: list[IpamPool] | None = []


class EndpointResource(msgspec.Struct, frozen=True, rename=go_name):
    """A container in a network, by the container's id."""

    name: str = ""
    endpoint_id: str = ""
    mac_address: str = ""
    ipv4_address: str = ""
    ipv6_address: str = ""


class ConfigReference(msgspec.Struct, frozen=True, rename=go_name):
    """The network a configuration comes from."""

    network: str = ""


class NetworkResource(msgspec.Struct, frozen=True, rename=go_name):
    """GET /networks/{id}, and one entry of GET /networks."""

    name: str
    id: str = msgspec.field(name="Id")
    created: str = ZERO
    scope: str = "local"
    driver: str = ""
    enable_ipv4: bool = True
    """Since API 1.48."""
    enable_ipv6: bool = False
    ipam: Ipam = Ipam()
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_from: ConfigReference = ConfigReference()
    config_only: bool = False
    containers: dict[str, EndpointResource] = {}
    options: dict[str, str] | None = {}
    labels: dict[str, str] | None = {}


class NetworkCreateRequest(msgspec.Struct, frozen=True, rename=go_name):
    """POST /networks/create."""

    name: str = ""
    check_duplicate: bool = False
    driver: str = ""
    scope: str = ""
    enable_ipv4: bool | None = None
    enable_ipv6: bool | None = None
    ipam: Ipam | None = None
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = False
    config_from: ConfigReference | None = None
    options: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class NetworkCreated(msgspec.Struct, frozen=True, rename=go_name):
    """The answer to POST /networks/create."""

    id: str = msgspec.field(name="Id")
    warning: str = ""


class NetworksPruned(msgspec.Struct, frozen=True, rename=go_name):
    """POST /networks/prune."""

    networks_deleted: tuple[str, ...] | None = None
