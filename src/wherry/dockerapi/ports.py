"""Port specifications: `80`, `80/udp`, `8000-8010`, `127.0.0.1:8080:80`, `[::1]::80/tcp`."""

import ipaddress
import re
from typing import NamedTuple

from wherry.dockerapi.host_config import PortBinding
from wherry.kit.errors import InvalidInput

PROTOCOLS = ("tcp", "udp", "sctp")
_RANGE = re.compile(r"([0-9]+)(?:-([0-9]+))?")


class Port(NamedTuple):
    """A port of a container; written `80/tcp`."""

    number: int
    protocol: str = "tcp"

    def __str__(self) -> str:
        return f"{self.number}/{self.protocol}"


def parse_port(text: str) -> Port:
    """`80` or `80/udp`. Raises InvalidInput."""
    (port, *more) = parse_ports(text)
    if more:
        raise InvalidInput(f"Invalid containerPort: {text}: a single port is wanted")
    return port


def parse_ports(text: str) -> list[Port]:
    """A port or a range with its protocol, as `--expose` takes it. Raises InvalidInput."""
    numbers, protocol = _split_protocol(text)
    first, last = _range(numbers, "containerPort")
    return [Port(number, protocol) for number in range(first, last + 1)]


def parse_spec(text: str) -> list[tuple[Port, PortBinding]]:
    """`[ip:][host]:container[/protocol]` with ranges, as `--publish` takes it.

    Raises InvalidInput.
    """
    body, protocol = _split_protocol(text)
    address, host, container = _split_address(body)
    if not container:
        raise InvalidInput(f"No port specified: {text}<empty>")
    first, last = _range(container, "containerPort")
    count = last - first + 1
    return [
        (Port(first + offset, protocol), PortBinding(address, host_port))
        for offset, host_port in enumerate(_host_ports(host, count, container))
    ]


def is_port(text: str) -> bool:
    """0 to 65535 in plain digits; `isdigit` alone would let pass what `int` does not read."""
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= 0xFFFF


def _split_protocol(text: str) -> tuple[str, str]:
    body, _, protocol = text.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in PROTOCOLS:
        raise InvalidInput(f"Invalid proto: {protocol}")
    return body, protocol


def _split_address(body: str) -> tuple[str, str, str]:
    parts = body.split(":")
    if len(parts) == 1:
        return "", "", parts[0]
    if len(parts) == 2:
        return "", parts[0], parts[1]
    address = ":".join(parts[:-2])
    return _address(address), parts[-2], parts[-1]


def _address(text: str) -> str:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not bare:
        return ""
    try:
        ipaddress.ip_address(bare)
    except ValueError as error:
        raise InvalidInput(f"Invalid ip address: {text}") from error
    return bare


def _range(text: str, what: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise InvalidInput(f"Invalid {what}: {text}")
    first, last = int(match[1]), int(match[2] or match[1])
    if not (0 <= first <= last <= 65535):
        raise InvalidInput(f"Invalid {what}: {text}")
    return first, last


def _host_ports(text: str, count: int, container: str) -> list[str]:
    if not text:
        return [""] * count
    first, last = _range(text, "hostPort")
    if last - first + 1 == count:
        return [str(port) for port in range(first, last + 1)]
    if count == 1:
        return [text]
    raise InvalidInput(
        f"Invalid ranges specified for container and host Ports: {container} and {text}"
    )
