"""Addresses: which pool a network gets, which address an endpoint gets. Pure.

State is a value; the engine keeps it beside its networks and endpoints, in one transaction.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

import msgspec

from wherry.kit.errors import Conflict, InvalidInput, Unavailable

DEFAULT_POOLS: tuple[tuple[str, int], ...] = (
    ("172.17.0.0/16", 16),
    ("172.18.0.0/16", 16),
    ("172.19.0.0/16", 16),
    ("172.20.0.0/14", 16),
    ("172.24.0.0/14", 16),
    ("172.28.0.0/14", 16),
    ("192.168.0.0/16", 20),
)
"""dockerd's default address pools: a base and the prefix length of the networks cut from it."""

RESERVED = "reserved"
"""Owner of addresses that a network's creator keeps for others."""

Subnet = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


class AddressTaken(Conflict):
    """The address that was asked for belongs to another endpoint."""


class IpamState(msgspec.Struct, frozen=True):
    """The addresses of one network.

    `last` is the address given out last: the search goes on behind it, so that a released address
    is used again as late as possible.
    """

    subnet: str
    gateway: str
    range: str = ""
    """The part of the subnet that addresses are picked from; empty: all of it."""
    last: str = ""
    taken: dict[str, str] = {}
    """Address → owner."""


def bridge_address(text: str) -> tuple[str, str]:
    """Subnet and gateway of a bridge that is to have an address, `10.5.0.1/16`.

    The subnet's own address stands for its first one. Raises InvalidInput.
    """
    try:
        asked = IPv4Interface(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is not an IPv4 address with a prefix: {error}") from error
    if asked.network.prefixlen == 32:
        raise InvalidInput(f"{text}: a bridge needs a subnet, want an address like 10.5.0.1/16")
    gateway = asked.ip if asked.ip != asked.network.network_address else asked.network[1]
    return str(asked.network), str(gateway)


def mac_for(address: str) -> str:
    """The hardware address Docker gives an IPv4 address: `02:42` and its four bytes."""
    return "02:42:" + IPv4Address(address).packed.hex(":")


def choose_pool(
    used: Iterable[str], pools: Iterable[tuple[str, int]] = DEFAULT_POOLS
) -> IPv4Network:
    """The first subnet of the pools that overlaps nothing in `used` (routes, other networks).

    Raises Unavailable when there is none.
    """
    busy = [each for each in map(_any_subnet, used) if isinstance(each, IPv4Network)]
    for candidate in _candidates(pools):
        if not any(candidate.overlaps(other) for other in busy):
            return candidate
    raise Unavailable(
        "could not find an available, non-overlapping IPv4 address pool among the defaults "
        "to assign to the network"
    )


def _candidates(pools: Iterable[tuple[str, int]]) -> Iterator[IPv4Network]:
    for base, prefix in pools:
        yield from IPv4Network(base).subnets(new_prefix=prefix)


def _any_subnet(text: str) -> Subnet:
    return ip_network(text, strict=False)


def overlapping(subnet: str, used: Iterable[str]) -> str:
    """The first of `used` that the subnet overlaps, or ""."""
    wanted = _any_subnet(subnet)
    for text in used:
        other = _any_subnet(text)
        if other.version == wanted.version and wanted.overlaps(other):
            return text
    return ""


def new_state(
    subnet: str, gateway: str = "", ip_range: str = "", reserved: Iterable[str] = ()
) -> IpamState:
    """The state of a new network; without a gateway it is the first address of range or subnet.

    Raises InvalidInput for what is no subnet, or lies outside it.
    """
    network = parse_subnet(subnet)
    pool = _range(network, ip_range)
    taken: dict[str, str] = {}
    for text in reserved:
        if parse_address(text) not in network:
            raise InvalidInput(f"auxiliary address {text} must belong to the subnet {network}")
        taken[str(parse_address(text))] = RESERVED
    chosen = str(parse_address(gateway)) if gateway else _first(network, pool, taken)
    if parse_address(chosen) not in network:
        raise InvalidInput(
            f"no matching subnet for gateway {chosen}: Requested address is out of range of "
            f"{network}"
        )
    return IpamState(str(network), chosen, str(pool) if ip_range else "", taken=taken)


def _range(network: Subnet, text: str) -> Subnet:
    if not text:
        return network
    pool = _parse(text, "range")
    if pool.version != network.version or not _within(pool, network):
        raise InvalidInput(f"no matching subnet for range {text}: it is not in {network}")
    return pool


def _within(pool: Subnet, network: Subnet) -> bool:
    return pool.network_address in network and pool.broadcast_address in network


def _first(network: Subnet, pool: Subnet, taken: Mapping[str, str]) -> str:
    start = int(pool.network_address)
    for number in range(start, start + pool.num_addresses):
        if number not in _unusable(network) and (text := _text(network, number)) not in taken:
            return text
    raise InvalidInput(f"no address is left for the gateway of {network}")


def _unusable(network: Subnet) -> set[int]:
    """The network's own address and IPv4's broadcast."""
    found = {int(network.network_address)}
    return found | {int(network.broadcast_address)} if network.version == 4 else found


def _text(network: Subnet, number: int) -> str:
    return str(IPv4Address(number) if network.version == 4 else IPv6Address(number))


def parse_subnet(text: str) -> Subnet:
    """A subnet with room for a gateway and one container. Raises InvalidInput."""
    network = _parse(text, "subnet")
    smallest = 30 if network.version == 4 else 126
    if network.prefixlen > smallest:
        raise InvalidInput(
            f"invalid subnet {text!r}: /{smallest} is the smallest a network can use"
        )
    return network


def _parse(text: str, what: str) -> Subnet:
    try:
        if "/" not in text:
            raise ValueError("invalid CIDR address: it has no /prefix")
        return _any_subnet(text)
    except ValueError as error:
        raise InvalidInput(f"invalid {what} {text!r}: {error}") from error


def parse_address(text: str) -> Address:
    """An address. Raises InvalidInput."""
    try:
        return ip_address(text)
    except ValueError as error:
        raise InvalidInput(f"invalid address {text!r}: {error}") from error


def reserve(state: IpamState, owner: str, wanted: str = "") -> tuple[IpamState, str]:
    """An address for the owner; the one it has, if it has one already.

    Raises InvalidInput (not in the subnet), AddressTaken, Unavailable (none is left).
    """
    held = held_by(state, owner)
    if held and wanted in ("", held):
        return state, held
    if held:
        state = release(state, owner)
    address = _wanted(state, wanted) if wanted else _next(state)
    last = state.last if wanted else address
    taken = {**state.taken, address: owner}
    return msgspec.structs.replace(state, taken=taken, last=last), address


def held_by(state: IpamState, owner: str) -> str:
    """The owner's address, or ""."""
    return next((address for address, who in state.taken.items() if who == owner), "")


def release(state: IpamState, owner: str) -> IpamState:
    """The state without the owner's addresses."""
    taken = {address: who for address, who in state.taken.items() if who != owner}
    return msgspec.structs.replace(state, taken=taken)


def _wanted(state: IpamState, text: str) -> str:
    address, network = parse_address(text), _any_subnet(state.subnet)
    if address not in network:
        raise InvalidInput(f"invalid address {text}: it does not belong to the subnet {network}")
    if int(address) in _unusable(network):
        raise InvalidInput(f"invalid address {text}: reserved in the subnet {network}")
    if str(address) == state.gateway or str(address) in state.taken:
        raise AddressTaken(f"Address already in use: {text} in {network}")
    return str(address)


def _next(state: IpamState) -> str:
    network = _any_subnet(state.subnet)
    pool = _any_subnet(state.range or state.subnet)
    size, first = pool.num_addresses, int(pool.network_address)
    start = int(ip_address(state.last)) - first + 1 if state.last else 0
    unusable = {*_unusable(network), int(ip_address(state.gateway))}
    for offset in range(size):
        number = first + (start + offset) % size
        if number not in unusable and (text := _text(network, number)) not in state.taken:
            return text
    raise Unavailable(f"no available IPv{network.version} addresses in this network's pool: {pool}")
