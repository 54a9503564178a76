"""`-p` and `--expose`: the API's PortBindings and ExposedPorts."""

from typing import NamedTuple

from wherry.cli.container.checks import parse_address
from wherry.client.document import Json
from wherry.kit.errors import InvalidInput

_PROTOCOLS = ("tcp", "udp", "sctp")


class Binding(NamedTuple):
    """One container port (`80/tcp`) and where on the host it is published."""

    port: str
    host_ip: str
    host_port: str


def published(specs: list[str]) -> list[Binding]:
    """`[ip:][host:]container[/proto]`, ranges too, or `published=…,target=…`.

    Raises InvalidInput.
    """
    return [binding for spec in specs for binding in _parse(_standard(spec))]


def exposed(specs: list[str]) -> list[str]:
    """`80`, `80/udp`, `80-90` → `80/tcp`, …. Raises InvalidInput."""
    found = []
    for spec in specs:
        if ":" in spec:
            raise InvalidInput(f"invalid port format for --expose: {spec}")
        port, protocol = _protocol(spec)
        try:
            first, last = _range(port)
        except InvalidInput as error:
            raise InvalidInput(
                f"invalid range format for --expose: {spec}, error: {error}"
            ) from error
        found += [f"{number}/{protocol}" for number in range(first, last + 1)]
    return found


def as_bindings(bindings: list[Binding]) -> dict[str, Json]:
    """HostConfig.PortBindings."""
    made: dict[str, Json] = {}
    for port in dict.fromkeys(binding.port for binding in bindings):
        made[port] = [
            {"HostIp": binding.host_ip, "HostPort": binding.host_port}
            for binding in bindings
            if binding.port == port
        ]
    return made


def _standard(spec: str) -> str:
    if "=" not in spec:
        return spec
    found = {"protocol": "tcp", "published": "", "target": ""}
    for part in spec.split(","):
        name, equals, value = part.partition("=")
        if not equals or not name:
            raise InvalidInput(
                f"invalid publish opts format (should be name=value but got '{part}')"
            )
        found[name] = value
    return f"{found['published']}:{found['target']}/{found['protocol']}"


def _parse(spec: str) -> list[Binding]:
    address, host, port = _split(spec)
    port, protocol = _protocol(port)
    address = _address(address)
    if not port:
        raise InvalidInput(f"No port specified: {spec}<empty>")
    first, last = _checked_range(port, "containerPort")
    host_first, host_last = _checked_range(host, "hostPort") if host else (0, 0)
    if host and last - first != host_last - host_first and last != first:
        raise InvalidInput(
            f"Invalid ranges specified for container and host Ports: {port} and {host}"
        )
    if protocol not in _PROTOCOLS:
        raise InvalidInput(f"Invalid proto: {protocol}")
    if not host:
        return [Binding(f"{number}/{protocol}", address, "") for number in range(first, last + 1)]
    if first == last and host_first != host_last:
        return [Binding(f"{first}/{protocol}", address, f"{host_first}-{host_last}")]
    shift = host_first - first
    return [
        Binding(f"{number}/{protocol}", address, str(number + shift))
        for number in range(first, last + 1)
    ]


def _split(spec: str) -> tuple[str, str, str]:
    """Address, host port and container port; an IPv6 address keeps its colons."""
    parts = spec.split(":")
    if len(parts) == 1:
        return "", "", parts[0]
    return ":".join(parts[:-2]), parts[-2], parts[-1]


def _address(text: str) -> str:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if bare and parse_address(bare) is None:
        raise InvalidInput(f"Invalid ip address: {bare}")
    return bare


def _protocol(text: str) -> tuple[str, str]:
    port, _, protocol = text.partition("/")
    return port, protocol.lower() or "tcp"


def _checked_range(text: str, kind: str) -> tuple[int, int]:
    try:
        return _range(text)
    except InvalidInput as error:
        raise InvalidInput(f"Invalid {kind}: {text}") from error


def _range(text: str) -> tuple[int, int]:
    if not text:
        raise InvalidInput("Empty string specified for ports.")
    first, dash, last = text.partition("-")
    start, end = _port(first), _port(last if dash else first)
    if end < start:
        raise InvalidInput(f"Invalid range specified for the Port: {text}")
    return start, end


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise InvalidInput(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    if int(text) > 65535:
        raise InvalidInput(f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(text)
