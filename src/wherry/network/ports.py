"""Published ports as values, shared by the daemon's side and the network process."""

from typing import NamedTuple

PROTOCOLS = ("tcp", "udp")


class PortBinding(NamedTuple):
    """What is asked for: `host_port` 0 means any, `host_port_end` the last one of a range.

    `host_ip` "" means every address of the host, IPv4 and IPv6.
    """

    protocol: str
    container_port: int
    host_ip: str = ""
    host_port: int = 0
    host_port_end: int = 0


class PublishedPort(NamedTuple):
    """What it became. A binding without an address gives two, for `0.0.0.0` and `::`."""

    protocol: str
    container_port: int
    host_ip: str
    host_port: int


class Published(NamedTuple):
    """The ports of one endpoint and the address they lead to."""

    endpoint: str
    address: str
    ports: tuple[PublishedPort, ...]


class Outbound(NamedTuple):
    """Ports of listeners in the bridges' namespace that outbound traffic is redirected to.

    0: there is none; for containers with egress rules there is no `dns`, they ask 127.0.0.11.
    """

    tcp: int
    dns: int
    udp: int = 0
