"""Who can reach a container's ports, by the addresses they are published on.

A decision on values of inspect: what a firewall of the machine or of the network forbids beside is
not known here, and not counted on.
"""

import ipaddress
from collections.abc import Iterator

from wherry.cli.container.published import joined
from wherry.client.document import Document

THIS_MACHINE = "this machine"
EVERYWHERE = "everyone who reaches this machine"
PEERS = "containers of the same networks"


def lines(found: Document) -> Iterator[tuple[str, str, str]]:
    """Port, where it is published, and from where that is reached; `found` is an inspect answer."""
    host = found.text("HostConfig", "NetworkMode") == "host"
    if host:
        yield "all", "the host's own network", "what its programs listen on decides"
        return
    ports = found.child("NetworkSettings", "Ports")
    for name in sorted(ports.raw, key=_order):
        bindings = ports.children(name)
        if not bindings:
            yield name, "not published", PEERS
        for binding in bindings:
            ip = binding.text("HostIp")
            yield name, joined(ip or "*", binding.text("HostPort")), reach(ip)


def _order(name: str) -> tuple[int, str]:
    number, _, protocol = name.partition("/")
    return (int(number) if number.isdigit() else 0, protocol)


def reach(ip: str) -> str:
    """From where an address of this machine is reached."""
    if not ip:
        return EVERYWHERE
    address = ipaddress.ip_address(ip)
    if address.is_unspecified:
        return f"{EVERYWHERE} (all its addresses)"
    if address.is_loopback:
        return THIS_MACHINE
    if address.is_link_local:
        return "neighbours on the same link"
    if address.is_private:
        return "the local network (a private address)"
    return f"{EVERYWHERE} (a public address)"
