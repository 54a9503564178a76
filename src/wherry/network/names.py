"""Names in networks as values: who is called what where, and what one container may ask.

Shared by the daemon's side and the network process, which serves 127.0.0.11 in each container.
"""

from typing import NamedTuple


class NamedEndpoint(NamedTuple):
    """A container's place in one network: all it is called there, and its addresses.

    `names` are the container's name, its network aliases and its short id, without the network's
    own name: `web.NETWORK` is understood by itself. The first one is told to who asks by address.
    """

    endpoint_id: str
    container_id: str
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    """IPv4 and IPv6, without prefix lengths."""


class Resolving(NamedTuple):
    """How one container's questions are answered."""

    container_id: str
    networks: tuple[tuple[str, str], ...]
    """(id, name) of its user-defined networks, in the order in which they are looked through."""
    links: tuple[tuple[str, str], ...] = ()
    """(alias, name or id of another container): names of this container's own."""
    nameservers: tuple[str, ...] = ()
    """Who is asked for all other names, in order. Nobody: they fail (an internal network)."""
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """The words of resolv.conf's `options` that the user asked for; `ndots:N` matters here."""
