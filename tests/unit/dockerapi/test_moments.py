import pytest

from wherry.dockerapi.moments import moment
from wherry.kit import clock
from wherry.kit.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("0", 0),
        ("1136073600", 1136073600 * clock.SECOND),
        ("1136073600.000000001", 1136073600 * clock.SECOND + 1),
        ("1136073600.5", 1136073600 * clock.SECOND + clock.SECOND // 2),
        ("2006-01-02", 1136160000 * clock.SECOND),
        ("2006-01-02T15", 1136214000 * clock.SECOND),
        ("2006-01-02T15:04", 1136214240 * clock.SECOND),
        ("2006-01-02T15:04:05", 1136214245 * clock.SECOND),
        ("2006-01-02T15:04:05Z", 1136214245 * clock.SECOND),
        ("2006-01-02T15:04:05.000000007+01:00", (1136214245 - 3600) * clock.SECOND + 7),
    ],
)
def test_moments(text: str, value: int | None) -> None:
    assert moment(text) == value


def test_a_duration_is_how_long_ago() -> None:
    found = moment("1h30m")
    assert found is not None
    assert abs(clock.now() - found - 5400 * clock.SECOND) < 10 * clock.SECOND


@pytest.mark.parametrize("text", ["x", "2006-13", "yesterday", "1.2.3", "5 minutes"])
def test_anything_else_is_the_clients_error(text: str) -> None:
    with pytest.raises(InvalidInput):
        moment(text)
