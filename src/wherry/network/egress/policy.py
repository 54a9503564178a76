"""Egress rules as text and as a decision. Pure.

```
allow=example.org:443,*.debian.org,10.0.0.0/8 deny=10.9.0.0/16 default=deny dns=any
```
A target is a name (`*.` in front: everything below it), an address or a subnet, and a port or a
range of ports behind a colon. A denial goes before an allowance; what no rule names is as
`default` says, which is deny where something is allowed. In deny mode

- the cloud's metadata address is reached only where it is allowed itself, not by subnet or name;
- port 53 only where a rule names it: names are asked of our own server;
- our server asks the outside for allowed names only, since a question can carry secrets, unless
  `dns=any` is said.
"""

import socket
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from wherry.kit.errors import InvalidInput

LABEL = "wherry.egress"
"""The label of a container that has its rules."""
METADATA = ("169.254.169.254", "fd00:ec2::254")
DNS = 53
_LAST_PORT = 65535


class Target(NamedTuple):
    """What a rule is about: a name or a subnet, and ports."""

    name: str = ""
    """In lower case; `.example.org` stands for all names below."""
    network: bytes = b""
    prefix: int = 0
    first_port: int = 0
    last_port: int = _LAST_PORT

    @property
    def names_port(self) -> bool:
        """Whether the rule says which ports it means."""
        return (self.first_port, self.last_port) != (0, _LAST_PORT)

    @property
    def one_address(self) -> bool:
        """Whether the rule is about a single address."""
        return bool(self.network) and self.prefix == len(self.network) * 8


class Policy(NamedTuple):
    """One container's rules."""

    allow: tuple[Target, ...] = ()
    deny: tuple[Target, ...] = ()
    closed: bool = False
    """Deny mode: what no rule names is denied."""
    any_name: bool = False


def rules_of(labels: Mapping[str, str] | None) -> str:
    """The rules in a container's labels; empty: it has none."""
    return (labels or {}).get(LABEL, "").strip()


def parse(text: str) -> Policy:
    """The rules in a text. Raises InvalidInput naming the word that is wrong."""
    listed: dict[str, list[Target]] = {"allow": [], "deny": []}
    chosen = {"default": "", "dns": ""}
    values = {"default": ("allow", "deny"), "dns": ("any", "allowed")}
    for word in text.split():
        key, _, value = word.partition("=")
        if key in listed and value:
            listed[key] += [_target(entry) for entry in value.split(",")]
        elif key in values and value in values[key]:
            chosen[key] = value
        else:
            raise InvalidInput(
                f"invalid egress rule {word!r}: allow=TARGET[,…], deny=TARGET[,…], "
                "default=allow|deny or dns=any|allowed"
            )
    closed = chosen["default"] == "deny" or (not chosen["default"] and bool(listed["allow"]))
    return Policy(tuple(listed["allow"]), tuple(listed["deny"]), closed, chosen["dns"] == "any")


def _target(text: str) -> Target:
    host, ports = _split(text)
    first, last = _ports(ports, text)
    network, prefix = _subnet(host, text)
    if network:
        return Target("", network, prefix, first, last)
    name = host.lower().rstrip(".")
    wildcard = name.startswith("*.")
    bare = name[2:] if wildcard else name
    if not bare or not all(_is_label(label) for label in bare.split(".")) or len(bare) > 253:
        raise InvalidInput(f"invalid egress target {text!r}: a name, an address or a subnet")
    return Target("." + bare if wildcard else bare, b"", 0, first, last)


def _split(text: str) -> tuple[str, str]:
    """Host and ports; an IPv6 address or subnet with ports is in brackets: `[fd00::/8]:443`."""
    if text.startswith("["):
        host, closing, rest = text[1:].partition("]")
        if not closing or (rest and not rest.startswith(":")):
            raise InvalidInput(f"invalid egress target {text!r}: [ADDRESS] or [ADDRESS]:PORT")
        return host, rest[1:]
    if text.count(":") > 1:
        return text, ""
    host, colon, ports = text.partition(":")
    if colon and not ports:
        raise InvalidInput(f"invalid egress target {text!r}: the port is missing")
    return host, ports


def _ports(text: str, whole: str) -> tuple[int, int]:
    if not text:
        return 0, _LAST_PORT
    first, dash, last = text.partition("-")
    numbers = [part for part in (first, last if dash else first) if part.isascii()]
    if len(numbers) == 2 and all(part.isdigit() and len(part) < 6 for part in numbers):
        low, high = map(int, numbers)
        if 1 <= low <= high <= _LAST_PORT:
            return low, high
    raise InvalidInput(f"invalid egress target {whole!r}: a port is 1 to 65535, or FIRST-LAST")


def _subnet(host: str, whole: str) -> tuple[bytes, int]:
    address, slash, length = host.partition("/")
    network = packed(address)
    if not network:
        if slash or address.replace(".", "").isdigit():
            raise InvalidInput(f"invalid egress target {whole!r}: not an address or subnet")
        return b"", 0
    bits = len(network) * 8
    if slash and not (length.isascii() and length.isdigit() and int(length) <= bits):
        raise InvalidInput(f"invalid egress target {whole!r}: a prefix is 0 to {bits}")
    prefix = int(length) if slash else bits
    return _masked(network, prefix), prefix


def _is_label(label: str) -> bool:
    kept = label.replace("-", "").replace("_", "")
    return 1 <= len(label) <= 63 and label.isascii() and (kept.isalnum() or not kept)


def packed(address: str) -> bytes:
    """An address as four or sixteen bytes; empty for what is none."""
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    except OSError:
        return b""


def _masked(network: bytes, prefix: int) -> bytes:
    bits = len(network) * 8
    number = int.from_bytes(network, "big") >> (bits - prefix) << (bits - prefix)
    return number.to_bytes(len(network), "big")


def may_connect(policy: Policy, address: str, port: int, names: Iterable[str] = ()) -> bool:
    """Whether a container may send to an address that our DNS answers gave for these names."""
    raw, known = packed(address), tuple(names)
    if not raw or any(_matches(rule, raw, port, known) for rule in policy.deny):
        return False
    if not policy.closed:
        return True
    allowing = [rule for rule in policy.allow if _matches(rule, raw, port, known)]
    if raw in map(packed, METADATA):
        allowing = [rule for rule in allowing if rule.one_address]
    if port == DNS:
        allowing = [rule for rule in allowing if rule.names_port]
    return bool(allowing)


def may_ask(policy: Policy, name: str) -> bool:
    """Whether our name server may ask the outside for a name (in lower case, no dot at its end)."""
    if any(_names(rule, name) and not rule.names_port for rule in policy.deny):
        return False
    if not policy.closed or policy.any_name:
        return True
    return any(_names(rule, name) for rule in policy.allow)


def _matches(rule: Target, address: bytes, port: int, names: tuple[str, ...]) -> bool:
    if not rule.first_port <= port <= rule.last_port:
        return False
    if rule.network:
        return len(rule.network) == len(address) and _masked(address, rule.prefix) == rule.network
    return any(_names(rule, name) for name in names)


def _names(rule: Target, name: str) -> bool:
    if rule.name.startswith("."):
        return name.endswith(rule.name)
    return bool(rule.name) and name == rule.name
