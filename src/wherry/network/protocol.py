"""What the daemon and the network process say to each other: JSON lines over a unix socket.

```
→ {"id": 1, "do": "publish", "endpoint": "…", "address": "172.17.0.2", "bindings": [[…], …]}
← {"id": 1, "ok": [["tcp", 80, "0.0.0.0", 8080], …]}
← {"id": 1, "error": "Conflict", "text": "Bind for 0.0.0.0:8080 failed: …"}
```
`do`: hello, publish, withdraw, published, outbound, serve, names, stop_serving, serving, guard,
release, guarded, shutdown. What happens without being asked for is told to all who are connected:
```
← {"event": "egress-denied", "container": "…", "name": "…", "address": "…", "port": 443, …}
```
Fields are only ever added; `hello` carries the version.
"""

import json
from typing import Any

from wherry.kit import errors
from wherry.network.dns.sandbox import Init
from wherry.network.egress.guards import Guarded
from wherry.network.names import NamedEndpoint, Resolving
from wherry.network.ports import PROTOCOLS, Outbound, PortBinding, Published, PublishedPort

VERSION = 2
"""Raised with each message that an older process does not know: it is replaced (`succession`)."""
LIMIT = 1 << 24
"""Bytes of one line."""

_KINDS: dict[str, type[errors.WherryError]] = {
    kind.__name__: kind
    for kind in (
        errors.Conflict,
        errors.InvalidInput,
        errors.NotPermitted,
        errors.Unavailable,
        errors.Unsupported,
        errors.Internal,
    )
}


def encode(message: dict[str, Any]) -> bytes:
    """One line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """The message in a line. Raises InvalidInput."""
    try:
        message = json.loads(line)
    except ValueError as error:
        raise errors.InvalidInput(f"network process: not a JSON line: {error}") from error
    if not isinstance(message, dict):
        raise errors.InvalidInput("network process: a message is a JSON object")
    return message


def failure(number: object, error: BaseException) -> dict[str, Any]:
    """An error as an answer."""
    names = (kind.__name__ for kind in type(error).__mro__)
    kind = next((name for name in names if name in _KINDS), "Internal")
    return {"id": number, "error": kind, "text": str(error)}


def raised(answer: dict[str, Any]) -> errors.WherryError:
    """The error in an answer."""
    return _KINDS.get(str(answer["error"]), errors.Internal)(str(answer.get("text", "")))


def read_bindings(value: object) -> tuple[PortBinding, ...]:
    """The bindings of a publish message. Raises InvalidInput."""
    if not isinstance(value, list):
        raise errors.InvalidInput("network process: bindings must be a list")
    return tuple(_binding(entry) for entry in value)


def _binding(entry: Any) -> PortBinding:
    try:
        protocol, port, host_ip, first, last = entry
        binding = PortBinding(str(protocol), int(port), str(host_ip), int(first), int(last))
    except (TypeError, ValueError) as error:
        raise errors.InvalidInput(f"network process: not a binding: {entry!r}") from error
    ports = (binding.container_port, binding.host_port, binding.host_port_end)
    if any(not 0 <= port <= 65535 for port in ports) or not binding.container_port:
        raise errors.InvalidInput(f"invalid port in binding {entry!r}: 1 to 65535")
    if binding.protocol not in PROTOCOLS:
        raise errors.Unsupported(
            f"publishing {binding.protocol} ports is not supported: tcp or udp"
        )
    return binding


def read_ports(value: Any) -> tuple[PublishedPort, ...]:
    """The ports of an answer."""
    return tuple(PublishedPort(*entry) for entry in value)


def read_published(value: Any) -> tuple[Published, ...]:
    """The answer to `published`."""
    return tuple(
        Published(endpoint, address, read_ports(ports)) for endpoint, address, ports in value
    )


def read_resolving(value: Any) -> Resolving:
    """How a container is served. Raises InvalidInput."""
    try:
        container, networks, links, *words = value
        nameservers, search, options = (tuple(map(str, each)) for each in words)
        return Resolving(
            str(container), _pairs(networks), _pairs(links), nameservers, search, options
        )
    except (TypeError, ValueError) as error:
        raise errors.InvalidInput(f"network process: not a resolving: {value!r}") from error


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(first), str(second)) for first, second in value)


def read_endpoints(value: Any) -> tuple[NamedEndpoint, ...]:
    """The endpoints of a names message. Raises InvalidInput."""
    try:
        return tuple(
            NamedEndpoint(str(id), str(container), tuple(map(str, names)), tuple(map(str, at)))
            for id, container, names, at in value
        )
    except (TypeError, ValueError) as error:
        raise errors.InvalidInput(f"network process: not endpoints: {value!r}") from error


def read_guarded(value: Any) -> Guarded:
    """An address with egress rules. Raises InvalidInput."""
    try:
        endpoint, container, address, text = map(str, value)
        return Guarded(endpoint, container, address, text)
    except (TypeError, ValueError) as error:
        raise errors.InvalidInput(f"network process: not a guard: {value!r}") from error


def read_outbound(value: Any) -> Outbound:
    """The ports of forwarders."""
    return Outbound(*map(int, value))


def read_init(value: Any) -> Init:
    """A container's first process. Raises InvalidInput."""
    try:
        pid, start_time = value
        return Init(int(pid), int(start_time))
    except (TypeError, ValueError) as error:
        raise errors.InvalidInput(f"network process: not a process: {value!r}") from error


Serving = tuple[list[tuple[Resolving, Init]], dict[str, tuple[NamedEndpoint, ...]]]


def read_serving(value: Any) -> Serving:
    """The answer to `serving`: containers, and the names of each network."""
    served = [(read_resolving(resolving), read_init(init)) for resolving, init in value["served"]]
    return served, {network: read_endpoints(each) for network, each in value["names"].items()}
