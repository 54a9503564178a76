"""The plan from one ruleset to another. That the rules do what they say is a system test."""

from wherry.linux.nftables import IPV6
from wherry.network import firewall
from wherry.network.firewall import Bridge, Ruleset, Translation
from wherry.network.ports import Outbound

BRIDGE = Bridge("wherry0", "172.17.0.0/16", "172.17.0.1")
WEB = Translation("tcp", "0.0.0.0", 8080, "172.17.0.2", 80)
DNS = Translation("udp", "192.0.2.2", 5353, "172.17.0.3", 53)


def texts(applied: Ruleset | None, wanted: Ruleset) -> list[str]:
    return [message.text for message in firewall.plan("t", applied, wanted)]


def test_nothing_is_sent_where_nothing_changes() -> None:
    rules = Ruleset((BRIDGE,), frozenset({WEB}))
    assert texts(rules, rules) == []


def test_an_unknown_table_is_replaced_in_one_transaction() -> None:
    sent = texts(None, Ruleset((BRIDGE,), frozenset({WEB})))
    assert sent[:3] == ["create nft table t", "delete nft table t", "create nft table t"]
    assert "add elements to nft set t published" in sent
    assert sum(text.startswith("create nft chain") for text in sent) == 4


def test_a_port_more_or_less_is_a_change_of_elements() -> None:
    before, after = Ruleset((BRIDGE,), frozenset({WEB})), Ruleset((BRIDGE,), frozenset({DNS}))
    assert texts(before, after) == [
        "delete elements of nft set t published",
        "add elements to nft set t published_at",
    ]


def test_a_port_that_moves_is_deleted_before_it_is_added() -> None:
    moved = WEB._replace(address="172.17.0.9")
    before, after = Ruleset((BRIDGE,), frozenset({WEB})), Ruleset((BRIDGE,), frozenset({moved}))
    assert [text.split()[0] for text in texts(before, after)] == ["delete", "add"]


def test_another_bridge_replaces_the_table() -> None:
    other = Bridge("br1", "172.18.0.0/16", "172.18.0.1")
    sent = texts(Ruleset((BRIDGE,)), Ruleset((BRIDGE, other)))
    assert "delete nft table t" in sent


def test_outbound_listeners_replace_the_table() -> None:
    sent = texts(Ruleset((BRIDGE,)), Ruleset((BRIDGE,), outbound=Outbound(1, 2)))
    assert "delete nft table t" in sent


def test_engines_have_tables_of_their_own() -> None:
    assert firewall.table_name("ab" * 32) == "wherry-abababababab"


def test_ipv6_has_a_table_of_its_own_family() -> None:
    bridge = Bridge("br0", "fd00::/64", "fd00::1")
    web = Translation("tcp", "::", 80, "fd00::2", 8080)
    sent = firewall.plan("t", None, Ruleset((bridge,), frozenset({web}), family=IPV6))
    assert {message.payload[0] for message in sent} == {IPV6}
