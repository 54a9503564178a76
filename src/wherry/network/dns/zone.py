"""Who is called what in the networks, and what one container is told. Pure.

A name is looked for in the container's own links first, then in its networks in order; the first
network that knows it answers. `NAME.NETWORK` asks one network only.
"""

import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from wherry.network.dns import message
from wherry.network.dns.message import AAAA, ANY, INTERNET, PTR, A, Query
from wherry.network.names import NamedEndpoint, Resolving

TTL = 600
"""Seconds; dockerd's figure."""


class Table:
    """The names of one network."""

    __slots__ = ("_by_address", "_by_name")

    def __init__(self, endpoints: Iterable[NamedEndpoint]) -> None:
        self._by_name: dict[str, list[str]] = {}
        self._by_address: dict[str, str] = {}
        for endpoint in endpoints:
            own = (endpoint.container_id,)
            for name in {name.lower() for name in (*endpoint.names, *own)}:
                self._by_name.setdefault(name, []).extend(endpoint.addresses)
            if endpoint.names:
                for address in endpoint.addresses:
                    self._by_address[plain(address)] = endpoint.names[0]

    def addresses(self, name: str) -> list[str] | None:
        """The addresses of a name in lower case; None: nobody has it."""
        return self._by_name.get(name)

    def name(self, address: str) -> str:
        """Who has an address, or ""."""
        return self._by_address.get(address, "")


Tables = Mapping[str, Table]


class Local(NamedTuple):
    """Known here: the answer's records, none where there is no record of the asked kind."""

    records: tuple[tuple[int, bytes], ...] = ()


def decide(query: Query, resolving: Resolving, tables: Tables) -> Local | None:
    """The answer to a question; None: somebody else has to know."""
    if query.klass != INTERNET:
        return None
    if query.kind == PTR:
        return _pointer(query, resolving, tables)
    found = look_up(query.name, resolving, tables)
    if found is not None:
        records = (message.packed(address) for address in found)
        return Local(tuple(entry for entry in records if query.kind in (entry[0], ANY)))
    if query.kind in (A, AAAA) and "." not in query.name and _ndots(resolving.options) > 0:
        # the user wants short names completed: the client asks again with its search domains
        return Local()
    return None


def look_up(name: str, resolving: Resolving, tables: Tables) -> list[str] | None:
    """The addresses of a name as one container sees it; None where it is unknown."""
    for alias, target in resolving.links:
        if alias.lower() == name:
            return _in_networks(target.lower(), resolving, tables)
    return _in_networks(name, resolving, tables)


def _in_networks(name: str, resolving: Resolving, tables: Tables) -> list[str] | None:
    for network_id, network_name in resolving.networks:
        table = tables.get(network_id)
        for wanted in _spellings(name, network_name.lower()):
            found = table.addresses(wanted) if table is not None else None
            if found is not None:
                return found
    return None


def _spellings(name: str, network: str) -> Iterator[str]:
    yield name
    short = name.removesuffix("." + network)
    if short != name and short:
        yield short


def _pointer(query: Query, resolving: Resolving, tables: Tables) -> Local | None:
    address = message.reversed_address(query.name)
    for network_id, network_name in resolving.networks:
        table = tables.get(network_id)
        name = table.name(address) if table is not None and address else ""
        if name:
            return Local(((PTR, message.write_name(f"{name}.{network_name}")),))
    return None


def _ndots(options: Iterable[str]) -> int:
    """What the last such option says; 0 for none, or what is no number: any text may be here."""
    values = [word[6:] for word in options if word.startswith("ndots:")]
    try:
        return int(values[-1]) if values else 0
    except ValueError:
        return 0


def plain(address: str) -> str:
    """An address in the one spelling that inet_ntop gives."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, address))
    except OSError:
        return address
