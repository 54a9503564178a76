"""Rules by source address, names by DNS answers, denials told in measure."""

from typing import Any

import pytest

from wherry.kit.errors import InvalidInput
from wherry.network.dns.message import A, Record
from wherry.network.egress import guards
from wherry.network.egress.guards import Denials, Guarded, Guards, Seen

RULES = "allow=example.org:443 default=deny"
ONE = Guarded("e1", "c1", "172.18.0.2", RULES)
TWO = Guarded("e2", "c1", "172.19.0.2", RULES)


@pytest.fixture
def told() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def both(told: list[dict[str, Any]]) -> Guards:
    made = Guards(told.append)
    made.guard(ONE)
    made.guard(TWO)
    return made


def learn(where: Guards, name: str, address: bytes, ttl: int = 300) -> None:
    note = where.learn("c1")
    assert note is not None
    note(name, [Record("cdn.example.net", A, ttl, address)])


def test_a_name_opens_its_addresses_on_every_network(both: Guards) -> None:
    assert not both.may_connect("172.18.0.2", "192.0.2.1", 443, "tcp")
    learn(both, "example.org", bytes((192, 0, 2, 1)))
    for source in ("172.18.0.2", "172.19.0.2"):
        assert both.may_connect(source, "192.0.2.1", 443, "tcp")
        assert not both.may_connect(source, "192.0.2.1", 80, "tcp")
        assert not both.may_connect(source, "192.0.2.2", 443, "tcp")


def test_who_has_no_rules_is_free(both: Guards) -> None:
    assert both.may_connect("172.18.0.3", "192.0.2.1", 80, "tcp")
    assert both.may_ask("c2", "anything")
    assert both.learn("c2") is None
    both.release("e1")
    both.release("e1")
    assert both.may_connect("172.18.0.2", "192.0.2.1", 80, "tcp")
    assert not both.may_connect("172.19.0.2", "192.0.2.1", 80, "tcp")


def test_guarding_again_keeps_what_was_learned(both: Guards) -> None:
    learn(both, "example.org", bytes((192, 0, 2, 1)))
    both.release("e2")
    both.guard(ONE)
    assert both.may_connect("172.18.0.2", "192.0.2.1", 443, "tcp")


def test_an_address_that_was_given_on_belongs_to_its_new_owner(both: Guards) -> None:
    both.guard(Guarded("e9", "c9", "172.18.0.2", "default=allow"))
    both.release("e1")
    assert both.guards("172.18.0.2")
    assert both.may_connect("172.18.0.2", "192.0.2.1", 80, "tcp")


def test_bad_rules_change_nothing(both: Guards) -> None:
    with pytest.raises(InvalidInput):
        both.guard(ONE._replace(text="allow=?"))
    assert both.guards("172.18.0.2")


def test_denials_are_told_with_what_is_known(both: Guards, told: list[dict[str, Any]]) -> None:
    learn(both, "example.org", bytes((192, 0, 2, 1)))
    both.may_connect("172.18.0.2", "192.0.2.1", 80, "tcp")
    both.may_ask("c1", "secrets.example.net")
    assert told == [
        {"event": "egress-denied", "container": "c1", "protocol": "tcp", "name": "example.org",
         "address": "192.0.2.1", "port": 80, "silent": 0},
        {"event": "egress-denied", "container": "c1", "protocol": "dns",
         "name": "secrets.example.net", "address": "", "port": 53, "silent": 0},
    ]  # fmt: skip


def test_a_destination_is_told_once_in_a_while() -> None:
    denials, what = Denials(), ("", "192.0.2.1", 80)
    assert [denials.wanted(what, 100.0 + second) for second in (0, 1, 2)] == [0, -1, -1]
    assert denials.wanted(what, 131.0) == 2


def test_many_destinations_are_not_told_one_by_one() -> None:
    denials = Denials()
    said = [denials.wanted(("", f"192.0.2.{n}", 80), 100.0) for n in range(200)]
    assert said.count(0) == guards.TOLD
    assert denials.wanted(("", "192.0.2.250", 80), 140.0) == 200 - guards.TOLD


def test_answers_are_forgotten_in_time() -> None:
    seen, raw = Seen(), bytes((192, 0, 2, 1))
    seen.learn("short", [Record("x", A, 1, raw)], 0.0)
    seen.learn("long", [Record("x", A, 3000, raw)], 0.0)
    assert seen.names("192.0.2.1", guards.GRACE - 1) == ["short", "long"]
    assert seen.names("192.0.2.1", guards.GRACE + 1) == ["long"]
    seen.learn("long", [Record("x", A, 1, raw)], 0.0)
    assert seen.names("192.0.2.1", 2999.0) == ["long"]
    seen.tick(3001.0)
    assert seen.names("192.0.2.1", 0.0) == []


def test_answers_are_bounded() -> None:
    seen = Seen()
    for number in range(10_000):
        seen.learn("n", [Record("x", A, 60, number.to_bytes(4, "big"))], 0.0)
    assert seen.names("0.0.0.1", 0.0) == []
    assert seen.names("0.0.39.15", 0.0) == ["n"]
