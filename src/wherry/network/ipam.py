"""IPv4 addresses: which pool a network gets, which address an endpoint gets. Pure.

State is a value; the engine keeps it beside its networks and endpoints, in one transaction.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network

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


def mac_for(address: str) -> str:
    """The hardware address Docker gives an IPv4 address: `02:42` and its four bytes."""
    return "02:42:" + IPv4Address(address).packed.hex(":")


def choose_pool(
    used: Iterable[str], pools: Iterable[tuple[str, int]] = DEFAULT_POOLS
) -> IPv4Network:
    """The first subnet of the pools that overlaps nothing in `used` (routes, other networks).

    Raises Unavailable when there is none.
    """
    busy = [IPv4Network(text, strict=False) for text in used]
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


def new_state(subnet: str, gateway: str = "", ip_range: str = "") -> IpamState:
    """The state of a new network; the gateway is the subnet's first address unless given.

    Raises InvalidInput for what is no subnet, or lies outside it.
    """
    network = parse_subnet(subnet)
    chosen = gateway or str(network[1])
    if parse_address(chosen) not in network:
        raise InvalidInput(f"no matching subnet for gateway {chosen}: it is not in {network}")
    if ip_range and not parse_subnet(ip_range).subnet_of(network):
        raise InvalidInput(f"no matching subnet for range {ip_range}: it is not in {network}")
    return IpamState(str(network), chosen, ip_range)


def parse_subnet(text: str) -> IPv4Network:
    """A subnet with room for a gateway and one container. Raises InvalidInput."""
    try:
        network = IPv4Network(text, strict=False)
    except ValueError as error:
        raise InvalidInput(f"invalid subnet {text!r}: {error}") from error
    if network.prefixlen > 30:
        raise InvalidInput(f"invalid subnet {text!r}: /30 is the smallest a network can use")
    return network


def parse_address(text: str) -> IPv4Address:
    """An IPv4 address. Raises InvalidInput."""
    try:
        return IPv4Address(text)
    except ValueError as error:
        raise InvalidInput(f"invalid IPv4 address {text!r}: {error}") from error


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
    address, network = parse_address(text), IPv4Network(state.subnet)
    if address not in network:
        raise InvalidInput(f"invalid address {text}: it does not belong to the subnet {network}")
    if address in (network.network_address, network.broadcast_address):
        raise InvalidInput(f"invalid address {text}: reserved in the subnet {network}")
    if str(address) == state.gateway or str(address) in state.taken:
        raise AddressTaken(f"address already in use: {text} in {network}")
    return str(address)


def _next(state: IpamState) -> str:
    network = IPv4Network(state.subnet)
    pool = IPv4Network(state.range or state.subnet, strict=False)
    size, first = pool.num_addresses, int(pool.network_address)
    start = int(IPv4Address(state.last)) - first + 1 if state.last else 0
    unusable = {int(network.network_address), int(network.broadcast_address)}
    unusable.add(int(IPv4Address(state.gateway)))
    for offset in range(size):
        number = first + (start + offset) % size
        if number not in unusable and (text := str(IPv4Address(number))) not in state.taken:
            return text
    raise Unavailable(f"no available IPv4 addresses on this network's address pool: {pool}")
