"""A container's place in its networks."""

import msgspec

from wherry.dockerapi.names import go_name


class EndpointIpamConfig(msgspec.Struct, frozen=True, omit_defaults=True, rename=go_name):
    """Addresses that the client asks for."""

    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_ips: list[str] | None = None


class EndpointSettings(msgspec.Struct, frozen=True, rename=go_name):
    """What was asked for (config, links, aliases, mac, options, priority) and what it became."""

    ipam_config: EndpointIpamConfig | None = msgspec.field(name="IPAMConfig", default=None)
    links: list[str] | None = None
    aliases: list[str] | None = None
    network_id: str = ""
    endpoint_id: str = ""
    gateway: str = ""
    ip_address: str = ""
    ip_prefix_len: int = 0
    ipv6_gateway: str = ""
    global_ipv6_address: str = ""
    global_ipv6_prefix_len: int = 0
    mac_address: str = ""
    driver_opts: dict[str, str] | None = None
    gw_priority: int = 0
    """The endpoint with the highest value gives the default gateway (API 1.48)."""
    dns_names: list[str] | None = msgspec.field(name="DNSNames", default=None)
    """Names the container has in this network (API 1.44)."""


class NetworkingConfig(msgspec.Struct, frozen=True, rename=go_name):
    """The networks a new container joins, by name or id."""

    endpoints_config: dict[str, EndpointSettings | None] | None = None


class ConnectRequest(msgspec.Struct, frozen=True, rename=go_name):
    """POST /networks/{id}/connect."""

    container: str = ""
    endpoint_config: EndpointSettings | None = None


class DisconnectRequest(msgspec.Struct, frozen=True, rename=go_name):
    """POST /networks/{id}/disconnect."""

    container: str = ""
    force: bool = False
