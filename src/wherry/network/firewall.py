"""The packet filter of one engine: wanted rules as values, and the messages that make them so.

One nf_tables table `wherry-ENGINE` of family ip, and one of family ip6 where a network has IPv6,
put in place as one transaction each:

```
map published     { protocol . port             : address . port }   bindings to every address
map published_at  { address . protocol . port   : address . port }   bindings to one address
set bridges       { name }
set guarded       { address }                                        containers with egress rules
chain prerouting  (nat -100)   to a local address → DNAT by the maps; outbound redirects
chain output      (nat -100)   the same for the host's own processes, but not to 127.0.0.0/8
chain postrouting (nat  100)   masquerade what leaves a subnet, and hairpin connections
chain forward     (filter 0)   isolation: see `_forward`
```
A change of published ports is a change of map elements; a change of bridges replaces the table.
Established connections survive both: conntrack holds their translation.
"""

import socket
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from wherry.linux import nft_expressions as nft
from wherry.linux.netlink import Message
from wherry.linux.nftables import (
    FORWARD,
    IPV4,
    IPV6,
    OUTPUT,
    POSTROUTING,
    PREROUTING,
    TYPE_ADDRESS,
    TYPE_ADDRESS6,
    TYPE_INTERFACE,
    TYPE_PROTOCOL,
    TYPE_SERVICE,
    Chain,
    Rule,
    Set,
    add_elements,
    delete_elements,
    delete_table,
    new_chain,
    new_rule,
    new_set,
    new_table,
)
from wherry.network import egress_rules
from wherry.network.egress_rules import GUARDED, Subnet
from wherry.network.ports import Outbound

_NUMBERS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
_LOOPBACK = {IPV4: (bytes((127, 0, 0, 0)), 8), IPV6: (bytes(15) + b"\1", 128)}
_SIZES = {IPV4: 4, IPV6: 16}
_EVERYWHERE = ("0.0.0.0", "::")


class Bridge(NamedTuple):
    """A bridge with its subnet and gateway in the table's family, and what may pass."""

    name: str
    subnet: str
    gateway: str
    masquerade: bool = True
    inter_container: bool = True
    internal: bool = False


class Translation(NamedTuple):
    """A published port: `host_ip` `0.0.0.0` or `::` stands for every address of the host."""

    protocol: str
    host_ip: str
    host_port: int
    address: str
    port: int


class Ruleset(NamedTuple):
    """All that is wanted."""

    bridges: tuple[Bridge, ...] = ()
    translations: frozenset[Translation] = frozenset()
    outbound: Outbound | None = None
    """Where all that leaves a plain user's bridges goes."""
    guards: frozenset[str] = frozenset()
    """Addresses of containers with egress rules; these go to `guard_ports`."""
    guard_ports: Outbound | None = None
    family: int = IPV4


def table_name(engine_id: str) -> str:
    """Several engines on one host have a table each."""
    return f"wherry-{engine_id[:12]}"


def plan(table: str, applied: Ruleset | None, wanted: Ruleset) -> list[Message]:
    """The transaction from what is in place to what is wanted; None: unknown, replace it."""
    if applied == wanted:
        return []
    if applied is None or not _differ_by_elements(applied, wanted):
        return _replace(table, wanted)
    place = _Place(wanted.family, table)
    return [
        *_change(place, applied.translations, wanted.translations),
        *_change_guards(place, applied.guards, wanted.guards),
    ]


class _Place(NamedTuple):
    """A table."""

    family: int
    table: str


def _differ_by_elements(applied: Ruleset, wanted: Ruleset) -> bool:
    filled = applied._replace(translations=wanted.translations, guards=wanted.guards)
    return filled == wanted


def removal(table: str, family: int = IPV4) -> list[Message]:
    """The transaction that leaves nothing, whether there was a table or not."""
    return [new_table(family, table), delete_table(family, table)]


def _sets(family: int) -> tuple[Set, ...]:
    size, address = _SIZES[family], TYPE_ADDRESS if family == IPV4 else TYPE_ADDRESS6
    target = (address, TYPE_SERVICE)
    key = (address, TYPE_PROTOCOL, TYPE_SERVICE)
    return (
        Set("published", (TYPE_PROTOCOL, TYPE_SERVICE), 8, target, size + 4),
        Set("published_at", key, size + 8, target, size + 4),
        Set("bridges", (TYPE_INTERFACE,), 16),
        Set(GUARDED.name, (address,), size),
    )


def _replace(table: str, wanted: Ruleset) -> list[Message]:
    place = _Place(wanted.family, table)
    messages = [*removal(table, wanted.family), new_table(*place)]
    sets = enumerate(_sets(wanted.family), 1)
    messages += [new_set(*place, entry, number) for number, entry in sets]
    messages += [new_chain(chain) for chain in _chains(place)]
    if wanted.bridges:
        names = {bridge.name.encode().ljust(16, b"\0"): b"" for bridge in wanted.bridges}
        messages.append(add_elements(*place, "bridges", names))
    messages += _added(place, wanted.translations)
    messages += _change_guards(place, frozenset(), wanted.guards)
    return messages + [new_rule(*place, rule) for rule in _rules(wanted)]


def _chains(place: _Place) -> tuple[Chain, ...]:
    return (
        Chain(*place, "prerouting", "nat", PREROUTING, -100),
        Chain(*place, "output", "nat", OUTPUT, -100),
        Chain(*place, "postrouting", "nat", POSTROUTING, 100),
        Chain(*place, "forward", "filter", FORWARD, 0),
    )


def _change(
    place: _Place, old: frozenset[Translation], new: frozenset[Translation]
) -> list[Message]:
    removed: list[Message] = []
    for name, elements in _elements(old - new).items():
        if elements:
            removed.append(delete_elements(*place, name, elements))
    return removed + _added(place, new - old)


def _change_guards(place: _Place, old: frozenset[str], new: frozenset[str]) -> list[Message]:
    gone, come = egress_rules.elements(old - new), egress_rules.elements(new - old)
    removed = [delete_elements(*place, GUARDED.name, gone)] if gone else []
    return removed + ([add_elements(*place, GUARDED.name, come)] if come else [])


def _added(place: _Place, translations: Iterable[Translation]) -> list[Message]:
    maps = _elements(translations).items()
    return [add_elements(*place, name, elements) for name, elements in maps if elements]


def _elements(translations: Iterable[Translation]) -> dict[str, dict[bytes, bytes]]:
    maps: dict[str, dict[bytes, bytes]] = {"published": {}, "published_at": {}}
    for entry in translations:
        key = bytes((_NUMBERS[entry.protocol], 0, 0, 0)) + _port(entry.host_port)
        target = ip_address(entry.address).packed + _port(entry.port)
        if entry.host_ip in _EVERYWHERE:
            maps["published"][key] = target
        else:
            maps["published_at"][ip_address(entry.host_ip).packed + key] = target
    return maps


def _port(port: int) -> bytes:
    return port.to_bytes(2, "big") + bytes(2)


def _subnet(bridge: Bridge) -> tuple[bytes, int]:
    network = ip_network(bridge.subnet)
    return network.network_address.packed, network.prefixlen


def _rules(wanted: Ruleset) -> Iterable[Rule]:
    size, loopback = _SIZES[wanted.family], _LOOPBACK[wanted.family]
    if wanted.family == IPV6:
        yield from egress_rules.refusals(tuple(each.name for each in wanted.bridges), size)
    if wanted.guard_ports is not None:
        subnets = tuple(Subnet(each.name, each.subnet, each.gateway) for each in wanted.bridges)
        yield from egress_rules.rules(subnets, wanted.guard_ports)
    yield from _translate("prerouting", nft.destination_is_local(), size)
    yield from _translate(
        "output",
        (*nft.destination_in(*loopback, differs=True), *nft.destination_is_local()),
        size,
    )
    for bridge in wanted.bridges:
        yield from _postrouting(bridge)
        yield from _forward(bridge)
    if wanted.outbound is not None:
        yield from _redirects(wanted.bridges, wanted.outbound)


def _translate(chain: str, condition: tuple[bytes, ...], size: int) -> Iterable[Rule]:
    for name, with_address in (("published_at", True), ("published", False)):
        key = nft.load_endpoint(with_address=with_address, size=size)
        look_up = nft.look_up(name, into=nft.REGISTER)
        yield Rule(chain, (*condition, *key, look_up, nft.translate_destination(size)))


def _postrouting(bridge: Bridge) -> Iterable[Rule]:
    subnet = _subnet(bridge)
    if bridge.masquerade and not bridge.internal:
        leaves = (*nft.source_in(*subnet), *nft.going_to(bridge.name, differs=True))
        yield Rule("postrouting", (*leaves, nft.masquerade()))
    # a container that reaches a published port through the host: the answer must come back
    # through the host too, not straight over the bridge
    hairpin = (*nft.source_in(*subnet), *nft.going_to(bridge.name))
    yield Rule("postrouting", (*hairpin, *nft.connection_was_redirected(), nft.masquerade()))


def _forward(bridge: Bridge) -> Iterable[Rule]:
    """What may pass to and from one bridge; our chain never accepts for others, only drops.

    Into it: answers, published ports, and its own containers if they may talk; nothing else, as
    dockerd's FORWARD policy would have it. Out of it: not to another bridge of ours, and nowhere
    from an internal network.
    """
    into, out = nft.going_to(bridge.name), nft.coming_from(bridge.name)
    from_outside = nft.coming_from(bridge.name, differs=True)
    to_outside = nft.going_to(bridge.name, differs=True)
    drop, done = nft.verdict(nft.DROP), nft.verdict(nft.RETURN)
    if bridge.internal:
        yield Rule("forward", (*into, *from_outside, drop))
        yield Rule("forward", (*out, *to_outside, drop))
    others = (nft.load_interface(leaving=True), nft.look_up("bridges"))
    yield Rule("forward", (*out, *to_outside, *others, drop))
    if bridge.inter_container:
        yield Rule("forward", (*into, *out, done))
    yield Rule("forward", (*into, *nft.connection_is_known(), done))
    yield Rule("forward", (*into, *nft.connection_was_redirected(), done))
    yield Rule("forward", (*into, drop))


def _redirects(bridges: tuple[Bridge, ...], outbound: Outbound) -> Iterable[Rule]:
    """Plain user: connections that leave the bridges end at our listeners (see `outbound`)."""
    open_bridges = [bridge for bridge in bridges if not bridge.internal]
    for bridge in bridges:
        inside = nft.destination_in(*_subnet(bridge))
        not_us = nft.destination_in(ip_address(bridge.gateway).packed, 32, differs=True)
        yield Rule("prerouting", (*inside, *not_us, nft.verdict(nft.RETURN)))
    for bridge in open_bridges:
        dns = (*nft.coming_from(bridge.name), *nft.protocol_is(socket.IPPROTO_UDP))
        target = nft.redirect_to_port(outbound.dns)
        yield Rule("prerouting", (*dns, *nft.destination_port_is(53), *target))
        for protocol, port in (
            (socket.IPPROTO_TCP, outbound.tcp),
            (socket.IPPROTO_UDP, outbound.udp),
        ):
            if port:
                leaves = (*nft.coming_from(bridge.name), *nft.protocol_is(protocol))
                yield Rule("prerouting", (*leaves, *nft.redirect_to_port(port)))
