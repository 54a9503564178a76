"""`--subnet`, `--ip-range`, `--gateway` and `--aux-address` as the API's IPAM. Pure."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from wherry.client.document import Json
from wherry.kit.errors import InvalidInput

Subnet = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def pools(
    subnets: Sequence[str], ranges: Sequence[str], gateways: Sequence[str], aux: dict[str, str]
) -> list[Json]:
    """An entry a subnet, with what lies in it.

    Raises InvalidInput for what overlaps, is there twice, or lies in none, in Docker's words.
    """
    if len(subnets) < len(ranges) or len(subnets) < len(gateways):
        raise InvalidInput("every ip-range or gateway must have a corresponding subnet")
    known = {text: _subnet(text) for text in subnets}
    _check_apart(subnets, known)
    made: dict[str, dict[str, Json]] = {text: {"Subnet": text} for text in subnets}
    for text in ranges:
        _put(
            made,
            _home(_subnet(text).network_address, known, text, "range"),
            "IPRange",
            text,
            "ip-range",
        )
    for text in gateways:
        _put(made, _home(_address(text), known, text, "gateway"), "Gateway", text, "gateway")
    for name, text in aux.items():
        home = made[_home(_address(text), known, text, "aux-address")]
        held = home.setdefault("AuxiliaryAddresses", {})
        assert isinstance(held, dict)
        held[name] = text
    return list(made.values())


def _subnet(text: str) -> Subnet:
    try:
        if "/" not in text:
            raise ValueError(text)
        return ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidInput(f"invalid CIDR address: {text}") from error


def _address(text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError as error:
        raise InvalidInput(f"invalid IP address: {text}") from error


def _check_apart(subnets: Sequence[str], known: dict[str, Subnet]) -> None:
    for place, text in enumerate(subnets):
        for other in subnets[:place]:
            first, second = known[text], known[other]
            if first.version == second.version and first.overlaps(second):
                raise InvalidInput("multiple overlapping subnet configuration is not supported")


def _home(address: Address, known: dict[str, Subnet], text: str, what: str) -> str:
    for subnet, network in known.items():
        if address in network:
            return subnet
    raise InvalidInput(f"no matching subnet for {what} {text}")


def _put(made: dict[str, dict[str, Json]], subnet: str, field: str, text: str, what: str) -> None:
    if field in made[subnet]:
        other = made[subnet][field]
        raise InvalidInput(
            f"cannot configure multiple {what}s ({text}, {other}) on the same subnet"
        )
    made[subnet][field] = text


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """`a=b` texts as a mapping. Raises InvalidInput where there is no `=`."""
    made = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise InvalidInput(f"invalid key value pair: {text}")
        made[key] = value
    return made
