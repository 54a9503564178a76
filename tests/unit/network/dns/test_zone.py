"""Who is told what: pure decisions on names."""

import socket

import pytest

from wherry.network.dns import message, zone
from wherry.network.dns.message import AAAA, ANY, PTR, A
from wherry.network.dns.zone import Local, Table
from wherry.network.names import NamedEndpoint, Resolving
from wherry.testing import dns

WEB = NamedEndpoint("e1", "1" * 64, ("web", "Shop", "1" * 12), ("10.1.0.2",))
DB = NamedEndpoint("e2", "2" * 64, ("db.local", "shop"), ("10.1.0.3", "FD00:0::3"))
BACK = NamedEndpoint("e3", "2" * 64, ("db.local", "store"), ("10.2.0.3",))
OTHER = NamedEndpoint("e4", "3" * 64, ("web",), ("10.2.0.9",))
TABLES = {"n1": Table([WEB, DB]), "n2": Table([BACK, OTHER]), "n3": Table([OTHER])}
BOTH = Resolving("x", (("n1", "front"), ("n2", "Back.End")), links=(("kv", "2" * 64),))


def ask(name: str, kind: int = A, who: Resolving = BOTH, klass: int = 1) -> Local | None:
    query = message.read_query(dns.question(name, kind))._replace(klass=klass)
    return zone.decide(query, who, TABLES)


def addresses(*texts: str) -> Local:
    return Local(tuple(message.packed(text) for text in texts))


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("web", A, addresses("10.1.0.2")),
        ("WEB", A, addresses("10.1.0.2")),
        ("1" * 12, A, addresses("10.1.0.2")),
        ("shop", A, addresses("10.1.0.2", "10.1.0.3")),
        ("web", AAAA, Local()),
        ("web", 15, Local()),
        ("shop", AAAA, addresses("fd00::3")),
        ("db.local", ANY, addresses("10.1.0.3", "fd00::3")),
        ("web.front", A, addresses("10.1.0.2")),
        ("web.back.end", A, addresses("10.2.0.9")),
        ("db.local.back.end", A, addresses("10.2.0.3")),
        ("store", A, addresses("10.2.0.3")),
        ("kv", A, addresses("10.1.0.3")),
        ("front", A, None),
        (".front", A, None),
        ("web.other", A, None),
        ("example.org", A, None),
    ],
)
def test_names(name: str, kind: int, told: Local | None) -> None:
    assert ask(name, kind) == told


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("2.0.1.10", "web.front"),
        ("3.0.2.10", "db.local.Back.End"),
        ("9.9.9.9", None),
    ],
)
def test_addresses(address: str, told: str | None) -> None:
    expected = None if told is None else Local(((PTR, message.write_name(told)),))
    assert ask(f"{address}.in-addr.arpa", PTR) == expected


def test_ipv6_addresses_have_names_too() -> None:
    raw = socket.inet_pton(socket.AF_INET6, "fd00::3").hex()
    assert ask(".".join(reversed(raw)) + ".ip6.arpa", PTR) == Local(
        ((PTR, message.write_name("db.local.front")),)
    )


def test_others_networks_are_not_seen() -> None:
    only = Resolving("x", (("n1", "front"),))
    assert ask("store", who=only) is None
    assert ask("kv", who=only) is None
    assert ask("9.0.2.10.in-addr.arpa", PTR, only) is None


def test_only_the_internet_class_has_names() -> None:
    assert ask("web", klass=3) is None


@pytest.mark.parametrize(
    ("options", "name", "told"),
    [
        (("ndots:1",), "printer", Local()),
        (("ndots:1",), "web", addresses("10.1.0.2")),
        (("ndots:1",), "printer.corp", None),
        (("ndots:0",), "printer", None),
        (("ndots:x",), "printer", None),
        (("ndots:\u00b2",), "printer", None),
        (("ndots:" + "9" * 5000,), "printer", None),
        (("rotate",), "printer", None),
    ],
)
def test_short_names_stay_inside_where_the_user_set_ndots(
    options: tuple[str, ...], name: str, told: Local | None
) -> None:
    assert ask(name, who=BOTH._replace(options=options)) == told


def test_a_link_to_nobody_is_unknown() -> None:
    assert ask("gone", who=BOTH._replace(links=(("gone", "nobody"),))) is None


def test_an_endpoint_without_names_is_found_by_its_container() -> None:
    table = Table([NamedEndpoint("e", "7" * 64, (), ("10.1.0.7",))])
    assert table.addresses("7" * 64) == ["10.1.0.7"]
    assert table.name("10.1.0.7") == ""
