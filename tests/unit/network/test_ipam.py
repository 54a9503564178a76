"""Addresses: order, reuse, wishes, exhaustion."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.kit.errors import InvalidInput, Unavailable
from wherry.network import ipam
from wherry.network.ipam import AddressTaken, IpamState

SMALL = "10.0.0.0/28"


def take(state: IpamState, *owners: str) -> tuple[IpamState, list[str]]:
    given_out = []
    for owner in owners:
        state, address = ipam.reserve(state, owner)
        given_out.append(address)
    return state, given_out


def test_the_first_container_gets_the_address_behind_the_gateway() -> None:
    state = ipam.new_state("172.17.0.0/16")
    assert state.gateway == "172.17.0.1"
    _, addresses = take(state, "a", "b", "c")
    assert addresses == ["172.17.0.2", "172.17.0.3", "172.17.0.4"]


def test_the_mac_is_made_from_the_address() -> None:
    assert ipam.mac_for("172.17.0.2") == "02:42:ac:11:00:02"


def test_a_released_address_is_used_again_last() -> None:
    state, _ = take(ipam.new_state(SMALL), "a", "b")
    state = ipam.release(state, "a")
    owners = [f"c{number}" for number in range(12)]
    state, addresses = take(state, *owners)
    assert addresses[-1] == "10.0.0.2"
    assert addresses[0] == "10.0.0.4"


def test_reserving_twice_gives_the_same_address() -> None:
    state, (first,) = take(ipam.new_state(SMALL), "a")
    assert ipam.reserve(state, "a") == (state, first)


def test_a_full_network_says_so() -> None:
    state, _ = take(ipam.new_state("10.0.0.0/30"), "a")
    with pytest.raises(Unavailable, match=r"no available IPv4 addresses .*10\.0\.0\.0/30"):
        ipam.reserve(state, "b")


def test_a_wanted_address_is_given_and_does_not_move_the_others() -> None:
    state, address = ipam.reserve(ipam.new_state(SMALL), "a", "10.0.0.9")
    assert address == "10.0.0.9"
    assert take(state, "b")[1] == ["10.0.0.2"]


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ("10.0.0.1", AddressTaken),
        ("10.0.0.0", InvalidInput),
        ("10.0.0.15", InvalidInput),
        ("10.0.1.1", InvalidInput),
        ("banana", InvalidInput),
        ("::1", InvalidInput),
    ],
)
def test_a_bad_wish_is_refused(wanted: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=wanted):
        ipam.reserve(ipam.new_state(SMALL), "a", wanted)


def test_addresses_come_from_the_range() -> None:
    state = ipam.new_state("10.0.0.0/24", ip_range="10.0.0.128/30")
    _, addresses = take(state, "a", "b", "c")
    assert state.gateway == "10.0.0.128"
    assert addresses == ["10.0.0.129", "10.0.0.130", "10.0.0.131"]


def test_ipv6_addresses_are_given_out_too() -> None:
    state = ipam.new_state("fd00:1::/64")
    state, addresses = take(state, "a", "b")
    assert state.gateway == "fd00:1::1"
    assert addresses == ["fd00:1::2", "fd00:1::3"]


def test_reserved_addresses_are_given_to_nobody() -> None:
    state = ipam.new_state("10.0.0.0/29", reserved=["10.0.0.2"])
    _, addresses = take(state, "a")
    assert addresses == ["10.0.0.3"]
    with pytest.raises(ipam.AddressTaken):
        ipam.reserve(state, "b", "10.0.0.2")
    with pytest.raises(InvalidInput):
        ipam.new_state("10.0.0.0/29", reserved=["10.0.1.2"])


def test_an_overlap_is_found_among_subnets_of_its_family() -> None:
    assert ipam.overlapping("10.1.0.0/24", ["fd00::/8", "10.0.0.0/8"]) == "10.0.0.0/8"
    assert ipam.overlapping("10.1.0.0/24", ["10.2.0.0/24"]) == ""


@pytest.mark.parametrize(
    ("subnet", "gateway", "ip_range"),
    [
        ("10.0.0.0/31", "", ""),
        ("10.0.0.0/33", "", ""),
        ("fd00::/127", "", ""),
        ("10.0.0.0/24", "10.0.1.1", ""),
        ("10.0.0.0/24", "", "10.0.1.0/24"),
    ],
)
def test_a_network_that_cannot_work_is_refused(subnet: str, gateway: str, ip_range: str) -> None:
    with pytest.raises(InvalidInput):
        ipam.new_state(subnet, gateway, ip_range)


def test_the_first_free_pool_is_chosen() -> None:
    used = ["172.17.0.0/16", "172.18.4.0/24", "10.0.0.0/8"]
    assert ipam.choose_pool(used) == IPv4Network("172.19.0.0/16")


def test_no_free_pool_is_an_error() -> None:
    with pytest.raises(Unavailable, match="non-overlapping"):
        ipam.choose_pool(["172.16.0.0/12", "192.168.0.0/16"])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), max_size=60))
def test_no_two_owners_ever_share_an_address(steps: list[tuple[bool, int]]) -> None:
    state = ipam.new_state("10.0.0.0/29")
    for reserves, number in steps:
        owner = f"c{number}"
        if not reserves:
            state = ipam.release(state, owner)
            continue
        try:
            state, address = ipam.reserve(state, owner)
        except Unavailable:
            assert len(state.taken) == 5
            continue
        assert state.taken[address] == owner
        assert address != state.gateway
        assert IPv4Address(address) in IPv4Network(state.subnet)
    assert len(set(state.taken.values())) == len(state.taken)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("10.5.0.1/16", ("10.5.0.0/16", "10.5.0.1")),
        ("10.5.0.7/16", ("10.5.0.0/16", "10.5.0.7")),
        ("10.5.0.0/16", ("10.5.0.0/16", "10.5.0.1")),
    ],
)
def test_a_bridges_own_address(asked: str, found: tuple[str, str]) -> None:
    assert ipam.bridge_address(asked) == found


@pytest.mark.parametrize("asked", ["10.5.0.1", "x", "fd00::1/64", "10.5.0.1/33"])
def test_what_is_no_address_of_a_bridge(asked: str) -> None:
    with pytest.raises(InvalidInput):
        ipam.bridge_address(asked)
