"""Times in words and in flags."""

import time

import pytest

from wherry.cli import times
from wherry.kit.errors import InvalidInput


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.5, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (119, "About a minute"),
        (120, "2 minutes"),
        (45 * 60, "45 minutes"),
        (46 * 60, "About an hour"),
        (89 * 60, "About an hour"),
        (90 * 60, "2 hours"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (13 * 86400, "13 days"),
        (14 * 86400, "2 weeks"),
        (59 * 86400, "8 weeks"),
        (60 * 86400, "2 months"),
        (729 * 86400, "24 months"),
        (730 * 86400, "2 years"),
    ],
)
def test_spans_in_words(seconds: float, words: str) -> None:
    assert times.human_duration(seconds) == words


@pytest.fixture
def paris(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("1577836800", "1577836800"),
        ("1577836800.5", "1577836800.5"),
        ("2020-01-01T00:00:00Z", "1577836800.000000000"),
        ("2020-01-01T00:00:00.25Z", "1577836800.250000000"),
        ("2020-01-01T02:00:00+02:00", "1577836800.000000000"),
        ("2020-01-01T01:00:00", "1577836800.000000000"),
        ("2020-01-01T01:00:00.5", "1577836800.500000000"),
        ("2020-01-01T01:00", "1577836800.000000000"),
        ("2020-01-01T01", "1577836800.000000000"),
        ("2020-01-01", "1577833200.000000000"),
    ],
)
def test_points_in_time(text: str, stamp: str, paris: None) -> None:
    assert times.stamp(text) == stamp


def test_spans_count_from_now() -> None:
    seconds = float(times.stamp("1h30m"))
    assert abs(time.time() - 5400 - seconds) < 5


@pytest.mark.parametrize("text", ["foo", "2020-13-01", "1h x", "-", "2020-01-01T00:00:00+99"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(InvalidInput, match="failed to parse value as time or duration"):
        times.stamp(text)


def test_local_times(paris: None) -> None:
    assert times.local(1577836800) == "2020-01-01 01:00:00 +0100 CET"
    assert times.local_iso(1577836800) == "2020-01-01T01:00:00+01:00"
    assert times.local_iso_nano(1577836800_000000007) == "2020-01-01T01:00:00.000000007+01:00"
