"""macvlan and ipvlan: names, modes and what the link in a container gets."""

import pytest

from wherry.kit.errors import InvalidInput
from wherry.network import parent_links
from wherry.network.driver import Endpoint, Network


@pytest.mark.parametrize(
    ("parent", "below", "number"),
    [
        ("eth0", "eth0", 0),
        ("eth0.20", "eth0", 20),
        ("eth0.4095", "eth0.4095", 0),
        ("br.lan", "br.lan", 0),
        ("eth0.\u00b2", "eth0.\u00b2", 0),
    ],
)
def test_a_parent_may_name_a_vlan(parent: str, below: str, number: int) -> None:
    assert parent_links.vlan_of(parent) == (below, number)


def test_an_unknown_mode_is_refused() -> None:
    assert parent_links.child_data("macvlan", "") == parent_links.child_data("macvlan", "bridge")
    with pytest.raises(InvalidInput):
        parent_links.child_data("ipvlan", "bridge")


def test_an_internal_network_leads_nowhere() -> None:
    network = Network("n", "n", "macvlan", subnet="10.0.0.0/24", gateway="10.0.0.1")
    closed = Network("n", "n", "macvlan", subnet="10.0.0.0/24", gateway="10.0.0.1", internal=True)
    endpoint = Endpoint("e", "c", address="10.0.0.2")
    assert parent_links.wanted_interface(network, endpoint, "").gateway == "10.0.0.1"
    assert parent_links.wanted_interface(closed, endpoint, "").gateway == ""
