"""nf_tables by netlink: a table of ours put in place as one transaction, and what others have.

No `nft` program and no library: a batch of a dozen messages takes less than a millisecond.
"""

import socket
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from wherry.linux.netlink import (
    NLM_F_ACK,
    NLM_F_APPEND,
    NLM_F_CREATE,
    Message,
    NetlinkSocket,
    as_text,
    attribute,
    attributes,
    nested,
    text_attribute,
)
from wherry.linux.nft_expressions import number, value

INET, IPV4, NETDEV, IPV6 = 1, 2, 5, 10
INGRESS = 0
"""The hook of a NETDEV chain."""
PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING = 0, 1, 2, 3, 4
FAMILY_NAMES = {INET: "inet", IPV4: "ip", IPV6: "ip6"}

TYPE_ADDRESS, TYPE_ADDRESS6 = 7, 8
TYPE_PROTOCOL, TYPE_SERVICE, TYPE_INTERFACE = 12, 13, 41
"""What `nft` calls ipv4_addr, ipv6_addr; inet_proto, inet_service, ifname. The kernel only keeps
them."""

_SUBSYSTEM = 10 << 8
_BATCH_BEGIN, _BATCH_END = 16, 17
_NEWTABLE, _DELTABLE, _NEWCHAIN, _GETCHAIN = 0, 2, 3, 4
_NEWRULE, _GETRULE, _DELRULE, _NEWSET = 6, 7, 8, 9
_NEWSETELEM, _DELSETELEM = 12, 14
_SET_IS_MAP = 8
_COMMENT = 0
_HOST_ORDER = struct.pack("=BBI", 0, 4, 1)
"""Set user data: without it `nft` reads the names backwards."""


class Chain(NamedTuple):
    """A base chain. `kind` is filter or nat; `drops` is its policy; `device` is for NETDEV."""

    family: int
    table: str
    name: str
    kind: str
    hook: int
    priority: int
    drops: bool = False
    device: str = ""


class Set(NamedTuple):
    """A set, or a map where `value_types` is not empty. Every part of a key fills four bytes."""

    name: str
    key_types: tuple[int, ...]
    key_size: int
    value_types: tuple[int, ...] = ()
    value_size: int = 0


class Rule(NamedTuple):
    """A rule of ours: a chain's name and expressions; the comment is its tag."""

    chain: str
    expressions: tuple[bytes, ...]
    comment: str = ""


class FoundRule(NamedTuple):
    """A rule in the kernel: what is needed to recognise it and to delete it."""

    family: int
    table: str
    chain: str
    handle: int
    comment: str


def _head(family: int, resource: int = 0) -> bytes:
    return struct.pack(">BBH", family, 0, resource)


def _message(kind: int, flags: int, family: int, text: str, *parts: bytes) -> Message:
    return Message(_SUBSYSTEM | kind, flags, _head(family) + b"".join(parts), text)


def new_table(family: int, name: str) -> Message:
    """Create the table unless it is there."""
    return _message(_NEWTABLE, NLM_F_CREATE, family, f"create nft table {name}", _text(1, name))


def delete_table(family: int, name: str) -> Message:
    """Delete the table with all that is in it; ENOENT where there is none."""
    return _message(_DELTABLE, 0, family, f"delete nft table {name}", _text(1, name))


def _text(kind: int, text: str) -> bytes:
    return text_attribute(kind, text)


def new_chain(chain: Chain) -> Message:
    """Create a base chain."""
    device = _text(3, chain.device) if chain.device else b""
    hook = nested(4, number(1, chain.hook), number(2, chain.priority), device)
    parts = (_text(1, chain.table), _text(3, chain.name), hook, number(5, int(not chain.drops)))
    text = f"create nft chain {chain.table} {chain.name}"
    return _message(_NEWCHAIN, NLM_F_CREATE, chain.family, text, *parts, _text(7, chain.kind))


def new_rule(family: int, table: str, rule: Rule, *, first: bool = False) -> Message:
    """Add a rule at the chain's end, or in front of it."""
    parts = [_text(1, table), _text(2, rule.chain), nested(4, *rule.expressions)]
    if rule.comment:
        parts.append(attribute(7, _comment(rule.comment)))
    flags = NLM_F_CREATE if first else NLM_F_CREATE | NLM_F_APPEND
    return _message(_NEWRULE, flags, family, f"add rule to nft {table} {rule.chain}", *parts)


def delete_rule(rule: FoundRule) -> Message:
    """Delete one rule by its handle."""
    handle = attribute(3, struct.pack(">Q", rule.handle))
    text = f"delete rule {rule.handle} of nft {rule.table} {rule.chain}"
    return _message(
        _DELRULE, 0, rule.family, text, _text(1, rule.table), _text(2, rule.chain), handle
    )


def flush_chain(family: int, table: str, chain: str) -> Message:
    """Delete all rules of a chain."""
    text = f"flush nft {table} {chain}"
    return _message(_DELRULE, 0, family, text, _text(1, table), _text(2, chain))


def _comment(text: str) -> bytes:
    raw = text.encode()[:254] + b"\0"
    return bytes((_COMMENT, len(raw))) + raw


def _concatenated(types: Iterable[int]) -> int:
    joined = 0
    for kind in types:
        joined = joined << 6 | kind
    return joined


def new_set(family: int, table: str, wanted: Set, identity: int) -> Message:
    """Create a set or map; `identity` tells the sets of one batch apart."""
    parts = [_text(1, table), _text(2, wanted.name), number(10, identity)]
    parts += [number(3, _SET_IS_MAP if wanted.value_types else 0)]
    parts += [number(4, _concatenated(wanted.key_types)), number(5, wanted.key_size)]
    if wanted.value_types:
        parts += [number(6, _concatenated(wanted.value_types)), number(7, wanted.value_size)]
    if wanted.key_types == (TYPE_INTERFACE,):
        parts.append(attribute(13, _HOST_ORDER))
    text = f"create nft set {table} {wanted.name}"
    return _message(_NEWSET, NLM_F_CREATE, family, text, *parts)


def add_elements(family: int, table: str, name: str, elements: Mapping[bytes, bytes]) -> Message:
    """Put elements into a set (empty values) or map."""
    text = f"add elements to nft set {table} {name}"
    parts = _elements(table, name, elements.items())
    return _message(_NEWSETELEM, NLM_F_CREATE, family, text, *parts)


def delete_elements(family: int, table: str, name: str, keys: Iterable[bytes]) -> Message:
    """Take elements out of a set or map; ENOENT where one is not in it."""
    text = f"delete elements of nft set {table} {name}"
    parts = _elements(table, name, ((key, b"") for key in keys))
    return _message(_DELSETELEM, 0, family, text, *parts)


def _elements(table: str, name: str, pairs: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, ...]:
    listed = (nested(1, value(1, key), value(2, data) if data else b"") for key, data in pairs)
    return _text(1, table), _text(2, name), nested(3, *listed)


def commit(sock: NetlinkSocket, messages: Sequence[Message]) -> None:
    """All messages as one transaction, or none of them. Raises OSError for the first refusal."""
    begin = Message(_BATCH_BEGIN, 0, _head(socket.AF_UNSPEC, 10), "begin nft transaction")
    end = Message(_BATCH_END, 0, _head(socket.AF_UNSPEC, 10), "commit nft transaction")
    *others, last = messages
    sock.batch((begin, *others, last._replace(flags=last.flags | NLM_F_ACK), end))


def base_chains(sock: NetlinkSocket, hook: int) -> list[Chain]:
    """The base chains of all tables at a hook, the tables of `iptables-nft` included."""
    replies = sock.dump(_message(_GETCHAIN, 0, socket.AF_UNSPEC, "list nft chains"))
    found = (_chain(reply.payload) for reply in replies)
    return [chain for chain in found if chain is not None and chain.hook == hook]


def chain_names(sock: NetlinkSocket, family: int, table: str) -> set[str]:
    """The names of all chains in a table, base chains or not."""
    replies = sock.dump(_message(_GETCHAIN, 0, family, "list nft chains"))
    found = (dict(attributes(reply.payload, 4)) for reply in replies)
    return {as_text(parts[3]) for parts in found if as_text(parts.get(1, b"")) == table}


def _chain(payload: bytes) -> Chain | None:
    parts = dict(attributes(payload, 4))
    if 4 not in parts:
        return None
    hook = dict(attributes(parts[4]))
    priority = int.from_bytes(hook.get(2, b""), "big", signed=True)
    return Chain(
        payload[0],
        as_text(parts[1]),
        as_text(parts[3]),
        as_text(parts.get(7, b"")),
        int.from_bytes(hook.get(1, b""), "big"),
        priority,
        drops=parts.get(5) == bytes(4),
    )


def rules(sock: NetlinkSocket, family: int, table: str, chain: str) -> list[FoundRule]:
    """The rules of one chain."""
    wanted = (_text(1, table), _text(2, chain))
    replies = sock.dump(
        _message(_GETRULE, 0, family, f"list rules of nft {table} {chain}", *wanted)
    )
    found = (_found(reply.payload) for reply in replies)
    return [rule for rule in found if (rule.table, rule.chain) == (table, chain)]


def _found(payload: bytes) -> FoundRule:
    parts = dict(attributes(payload, 4))
    names = as_text(parts[1]), as_text(parts[2])
    return FoundRule(
        payload[0], *names, int.from_bytes(parts[3], "big"), _read_comment(parts.get(7, b""))
    )


def _read_comment(data: bytes) -> str:
    at = 0
    while at + 2 <= len(data):
        kind, size = data[at], data[at + 1]
        if kind == _COMMENT:
            return as_text(data[at + 2 : at + 2 + size])
        at += 2 + size
    return ""
