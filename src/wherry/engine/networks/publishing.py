"""Published ports: from a create request to what a driver is asked for, and back. Pure."""

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.ports import is_port, parse_port
from wherry.engine.records import PortMapping
from wherry.kit.errors import InvalidInput
from wherry.network.ports import PortBinding, PublishedPort


def bindings(request: ContainerCreateRequest) -> tuple[PortBinding, ...]:
    """Published ports of a request; with -P every exposed one on a free port of the host."""
    host = request.host_config
    found = []
    for key, wanted in (host.port_bindings or {}).items():
        port = parse_port(key)
        found += [
            PortBinding(port.protocol, port.number, each.host_ip, *_host_range(each.host_port))
            for each in wanted or []
        ]
    if host.publish_all_ports:
        known = {(each.container_port, each.protocol) for each in found}
        for key in request.exposed_ports or {}:
            port = parse_port(key)
            if (port.number, port.protocol) not in known:
                found.append(PortBinding(port.protocol, port.number))
    return tuple(found)


def _host_range(text: str) -> tuple[int, int]:
    """A host port or range, zeros for any. Raises InvalidInput."""
    first, dash, last = text.partition("-")
    if not text:
        return (0, 0)
    ends = (first, last if dash else first)
    if not all(map(is_port, ends)):
        raise InvalidInput(f"invalid hostPort: {text}")
    return (int(ends[0]), int(ends[1]))


def held(port: PortMapping) -> PortBinding:
    """The binding that gives just this port again."""
    return PortBinding(port.protocol, port.container_port, port.host_ip, port.host_port)


def mapping(port: PublishedPort) -> PortMapping:
    """As the ledger keeps it."""
    return PortMapping(port.container_port, port.protocol, port.host_ip, port.host_port)
