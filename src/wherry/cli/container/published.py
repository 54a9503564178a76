"""Published ports as `ps` and `port` show them."""

from collections.abc import Iterable
from typing import NamedTuple

from wherry.client.document import Document


class _Port(NamedTuple):
    private: int
    ip: str
    public: int
    protocol: str


def shown_ports(ports: Iterable[Document]) -> str:
    """`0.0.0.0:80->80/tcp, 443/tcp`, neighbours that map alike joined to ranges."""
    ranges: dict[tuple[str, str], list[list[int]]] = {}
    shifted = []
    for port in sorted(
        _Port(
            item.number("PrivatePort"),
            item.text("IP"),
            item.number("PublicPort"),
            item.text("Type"),
        )
        for item in ports
    ):
        if port.ip and port.public != port.private:
            shifted.append(f"{joined(port.ip, port.public)}->{port.private}/{port.protocol}")
            continue
        runs = ranges.setdefault((port.ip, port.protocol), [])
        if runs and runs[-1][1] == port.private - 1:
            runs[-1][1] = port.private
        elif not runs or runs[-1][1] != port.private:
            runs.append([port.private, port.private])
    same = [_range(ip, protocol, run) for (ip, protocol), runs in ranges.items() for run in runs]
    return ", ".join(same + shifted)


def _range(ip: str, protocol: str, run: list[int]) -> str:
    first, last = run
    span = str(first) if first == last else f"{first}-{last}"
    return f"{joined(ip, span)}->{span}/{protocol}" if ip else f"{span}/{protocol}"


def joined(ip: str, port: object) -> str:
    """`ip:port`, an IPv6 address in brackets."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
