"""From a request to a network: pools, options, refusals."""

import pytest

from wherry.dockerapi.networks import Ipam, IpamPool, NetworkCreateRequest
from wherry.engine.networks import create
from wherry.engine.networks.record import NetworkRecord
from wherry.kit.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    NotPermitted,
    Unsupported,
    WherryError,
)

ICC = "com.docker.network.bridge.enable_icc"


def planned(
    *pools: IpamPool, used: tuple[list[str], list[str]] = ([], []), **fields: object
) -> NetworkRecord:
    request = NetworkCreateRequest(name="n", ipam=Ipam(config=list(pools)), **fields)  # type: ignore[arg-type]
    return create.planned(request, used)


def test_the_first_pool_that_nobody_uses_is_taken() -> None:
    made = planned(used=(["172.17.0.0/16"], ["172.18.5.0/24"]))
    assert made.network.subnet == "172.19.0.0/16"
    assert made.asked.ipam is not None
    assert made.asked.ipam.config == [IpamPool(subnet="172.19.0.0/16", gateway="172.19.0.1")]
    assert made.configured == ()


def test_what_was_asked_for_is_shown_as_it_was_asked() -> None:
    pool = IpamPool(subnet="10.9.0.0/16", ip_range="10.9.5.0/24")
    made = planned(pool)
    assert (made.network.subnet, made.network.gateway) == ("10.9.0.0/16", "10.9.5.0")
    assert made.asked.ipam is not None and made.asked.ipam.config == [pool]


def test_ipv6_needs_to_be_asked_for() -> None:
    pool = IpamPool(subnet="fd00:9::/64")
    assert planned(pool).network.subnet6 == ""
    assert planned(pool, enable_ipv6=True).network.gateway6 == "fd00:9::1"


def test_ipv6_without_a_subnet_gets_unique_local_addresses() -> None:
    made = planned(enable_ipv6=True).network
    assert made.subnet6.startswith("fd") and made.subnet6.endswith("::/64")


def test_an_overlap_with_another_network_is_refused() -> None:
    with pytest.raises(NotPermitted, match="Pool overlaps"):
        planned(IpamPool(subnet="10.9.1.0/24"), used=(["10.9.0.0/16"], []))


def test_two_subnets_of_one_family_are_refused() -> None:
    with pytest.raises(Unsupported):
        planned(IpamPool(subnet="10.9.1.0/24"), IpamPool(subnet="10.9.2.0/24"))


def test_options_of_the_bridge() -> None:
    made = planned(options={ICC: "0", "com.docker.network.driver.mtu": "1400", "x": "y"}).network
    assert (made.inter_container, made.mtu, made.masquerade) == (False, 1400, True)
    assert made.bridge == f"wh-{made.id[:12]}"
    with pytest.raises(InvalidInput, match="enable_icc"):
        planned(options={ICC: "perhaps"})


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"name": " "}, InvalidInput),
        ({"name": "bridge"}, NotPermitted),
        ({"name": "taken"}, Conflict),
        ({"driver": "nosuch"}, NotFound),
        ({"driver": "host"}, NotPermitted),
        ({"ingress": True}, NotPermitted),
        ({"scope": "swarm"}, NotPermitted),
        ({"config_only": True}, Unsupported),
    ],
)
def test_what_cannot_be_had_is_refused(fields: dict[str, object], error: type[WherryError]) -> None:
    with pytest.raises(error):
        create.check(NetworkCreateRequest(**{"name": "n", **fields}), ("taken",))  # type: ignore[arg-type]
