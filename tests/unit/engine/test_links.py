"""Links: how they are written, which variables and names they give."""

import pytest

from wherry.engine.containers import links
from wherry.engine.containers.links import Linked
from wherry.kit.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("db", ("db", "db")),
        ("db:alias", ("db", "alias")),
        ("/db:/owner/alias", ("db", "alias")),
    ],
)
def test_how_links_are_written(text: str, found: tuple[str, str]) -> None:
    assert links.parse(text) == found


@pytest.mark.parametrize("text", ["", "a:b:c"])
def test_links_that_are_none(text: str) -> None:
    with pytest.raises(InvalidInput):
        links.parse(text)


def test_variables_of_one_port() -> None:
    found = Linked("my-db", "db", "host", "10.0.0.2", ("A=b", "PATH=/x", "BARE"), ((5432, "tcp"),))
    assert links.environment("web", [found]) == [
        "MY_DB_PORT=tcp://10.0.0.2:5432",
        "MY_DB_PORT_5432_TCP=tcp://10.0.0.2:5432",
        "MY_DB_PORT_5432_TCP_ADDR=10.0.0.2",
        "MY_DB_PORT_5432_TCP_PORT=5432",
        "MY_DB_PORT_5432_TCP_PROTO=tcp",
        "MY_DB_NAME=/web/my-db",
        "MY_DB_ENV_A=b",
    ]


@pytest.mark.parametrize(
    ("numbers", "start"), [((80, 81), None), ((80, 81, 82), "80"), ((70, 80, 81, 82), "80")]
)
def test_three_in_a_row_are_also_told_as_a_range(
    numbers: tuple[int, ...], start: str | None
) -> None:
    found = Linked("db", "db", "h", "10.0.0.2", ports=tuple((number, "tcp") for number in numbers))
    told = dict(entry.split("=", 1) for entry in links.environment("web", [found]))
    assert told.get("DB_PORT_80_TCP_PORT_START") == start


def test_names_in_hosts() -> None:
    first = Linked("alias", "db", "h", "10.0.0.2")
    second = Linked("db", "db", "h", "10.0.0.2")
    assert links.host_entries([first, second]) == [
        ("alias h db", "10.0.0.2"), ("db h", "10.0.0.2"),
    ]  # fmt: skip
