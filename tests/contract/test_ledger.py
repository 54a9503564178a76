"""What every ledger keeps to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from wherry.ledger.ledger import AlreadyClaimed, Claim, Drop, Event, Ledger, Put
from wherry.ledger.sqlite import SqliteLedger
from wherry.testing.ledger import MemoryLedger


@pytest.fixture(params=["sqlite", "memory"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    opened: Ledger = (
        SqliteLedger(str(tmp_path / "ledger.db")) if request.param == "sqlite" else MemoryLedger()
    )
    yield opened
    opened.close()


def test_a_document_is_written_replaced_and_dropped(ledger: Ledger) -> None:
    ledger.commit([Put("image", "a", b"1")])
    ledger.commit([Put("image", "a", b"2"), Put("image", "b", b"3"), Put("other", "a", b"x")])
    assert ledger.get("image", "a") == b"2"
    assert ledger.all("image") == [("a", b"2"), ("b", b"3")]
    ledger.commit([Drop("image", "a"), Drop("image", "never")])
    assert ledger.get("image", "a") is None


def test_a_claimed_key_refuses_the_whole_commit(ledger: Ledger) -> None:
    ledger.commit([Claim("name", "web", b"1")])
    with pytest.raises(AlreadyClaimed) as caught:
        ledger.commit(
            [Put("container", "2", b"{}"), Claim("name", "web", b"2")], [Event(5, b"create")]
        )
    assert (caught.value.kind, caught.value.key) == ("name", "web")
    assert ledger.get("container", "2") is None
    assert list(ledger.events(since=0)) == []


def test_a_name_can_move_within_one_commit(ledger: Ledger) -> None:
    ledger.commit([Claim("name", "old", b"1")])
    ledger.commit([Drop("name", "old"), Claim("name", "old", b"2")])
    assert ledger.get("name", "old") == b"2"


def test_events_are_numbered_in_order_and_selected_by_time(ledger: Ledger) -> None:
    first = ledger.commit([], [Event(10, b"a"), Event(20, b"b")])
    second = ledger.commit([], [Event(30, b"c")])
    assert list(first + second) == sorted(first + second)
    assert [event.body for event in ledger.events(since=20)] == [b"b", b"c"]
    assert [event.body for event in ledger.events(since=0, until=20)] == [b"a", b"b"]


def test_many_events_come_in_pages_without_loss(ledger: Ledger) -> None:
    ledger.commit([], [Event(n, str(n).encode()) for n in range(1234)])
    assert [event.time for event in ledger.events(since=0)] == list(range(1234))
    assert ledger.forget_events(keep=34) == 1200
    assert len(list(ledger.events(since=0))) == 34
