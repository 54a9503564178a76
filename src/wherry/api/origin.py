"""Who may speak to a TCP listener: no web page, and no name that only points here by a trick.

A browser sends `Origin` with what a page makes it do, and a page can point a name of its own at
127.0.0.1 (DNS rebinding), which shows in `Host`. Docker's clients send neither. Over TLS the
certificate says which names are ours, so `Host` need not.
"""

import ipaddress
import socket
from collections.abc import Mapping
from typing import NamedTuple

from wherry.kit.errors import NotPermitted


class OriginRule(NamedTuple):
    """Names accepted in `Host` beside addresses and `localhost`."""

    hosts: frozenset[str] = frozenset()
    any_host: bool = False

    def check(self, headers: Mapping[str, str]) -> None:
        """Raises NotPermitted."""
        if "Origin" in headers:
            raise NotPermitted("requests of web pages (with an Origin header) are refused")
        host = _name(headers.get("Host", ""))
        if self.any_host:
            return
        if host and not (_is_address(host) or host in {"localhost", *self.hosts}):
            raise NotPermitted(
                f"the Host header names {host!r}, which this listener does not answer for"
            )


def own_names() -> OriginRule:
    """This machine's own name, short and as configured."""
    name = socket.gethostname().lower()
    return OriginRule(frozenset((name, name.partition(".")[0])))


def _name(host: str) -> str:
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
