"""A container's places in networks: which, how they are called, which one leads out."""

import msgspec
import pytest

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.endpoints import EndpointIpamConfig, EndpointSettings, NetworkingConfig
from wherry.dockerapi.host_config import HostConfig
from wherry.engine.networks import places
from wherry.engine.networks.record import NetworkRecord
from wherry.engine.records import EndpointRecord
from wherry.kit.errors import InvalidInput, NotFound
from wherry.network.driver import Network

KNOWN = {
    record.network.name: record
    for record in (
        NetworkRecord(Network("1" * 64, "bridge", gateway="172.17.0.1"), 0),
        NetworkRecord(Network("2" * 64, "host", driver="host"), 0),
        NetworkRecord(Network("3" * 64, "none", driver="null"), 0),
        NetworkRecord(Network("a" * 64, "a"), 0),
        NetworkRecord(Network("b" * 64, "b"), 0, configured=("10.1.0.0/24",)),
        NetworkRecord(Network("c" * 64, "closed", internal=True), 0),
    )
}


def find(ref: str) -> NetworkRecord:
    for record in KNOWN.values():
        if ref in (record.network.name, record.network.id):
            return record
    raise NotFound(ref)


def request(mode: str, **asked: EndpointSettings | None) -> ContainerCreateRequest:
    return ContainerCreateRequest(
        host_config=HostConfig(network_mode=mode), networking_config=NetworkingConfig(dict(asked))
    )


def names(mode: str, **asked: EndpointSettings | None) -> list[tuple[str, str]]:
    found = places.planned(request(mode, **asked), find)
    return [(place.network, place.interface) for place in found]


def test_without_a_wish_the_mode_says_the_network() -> None:
    assert names("default") == [("bridge", "eth0")]
    assert names("a") == [("a", "eth0")]


def test_the_network_of_the_mode_comes_first_the_others_by_name() -> None:
    assert names("b", closed=None, a=None, b=None) == [
        ("b", "eth0"),
        ("a", "eth1"),
        ("closed", "eth2"),
    ]


def test_a_network_may_be_named_by_its_id() -> None:
    assert names("a", **{"a" * 64: None}) == [("a", "eth0")]


def test_wishes_stand_for_the_mode() -> None:
    """As dockerd: NetworkMode says nothing where EndpointsConfig speaks."""
    assert names("a", b=None) == [("b", "eth0")]


@pytest.mark.parametrize("mode", ["host", "none"])
def test_host_and_none_exclude_other_networks(mode: str) -> None:
    with pytest.raises(InvalidInput):
        names(mode, a=None)


def test_an_unknown_network_is_not_found() -> None:
    with pytest.raises(NotFound):
        names("nosuch")


def place(name: str, gateway: str = "10.0.0.1", priority: int = 0) -> EndpointRecord:
    return EndpointRecord(
        name,
        KNOWN[name].network.id,
        gateway=gateway,
        settings=EndpointSettings(gw_priority=priority),
    )


def way_out(*given: EndpointRecord) -> list[str]:
    return [each.network for each in places.routed(given, find) if each.default_route]


def test_the_first_by_name_leads_out() -> None:
    assert way_out(place("b"), place("a")) == ["a"]


def test_a_higher_priority_leads_out() -> None:
    assert way_out(place("b", priority=1), place("a")) == ["b"]


def test_an_internal_network_does_not_lead_out() -> None:
    assert way_out(place("closed")) == []
    assert way_out(place("closed", priority=9), place("b")) == ["b"]


def test_a_network_of_another_family_leads_its_own_way() -> None:
    given = msgspec.structs.replace(place("b", gateway=""), gateway6="fd00::1")
    routed = places.routed([given, place("a")], find)
    assert [(each.default_route, each.default_route6) for each in routed] == [
        (False, True),
        (True, False),
    ]


def test_a_free_interface_name_fills_the_gap() -> None:
    assert places.free_link([]) == "eth0"
    given = [EndpointRecord("a", "1", interface=name) for name in ("eth0", "eth2")]
    assert places.free_link(given) == "eth1"


def test_addresses_and_aliases_are_for_networks_of_ones_own() -> None:
    fixed = EndpointSettings(ipam_config=EndpointIpamConfig(ipv4_address="10.1.0.9"))
    places.check(KNOWN["b"], fixed)
    for name in ("a", "bridge"):
        with pytest.raises(InvalidInput, match="user specified IP address"):
            places.check(KNOWN[name], fixed)
    places.check(KNOWN["a"], EndpointSettings(aliases=["x"]))
    with pytest.raises(InvalidInput, match="network-scoped alias"):
        places.check(KNOWN["bridge"], EndpointSettings(aliases=["x"]))
