import pytest

from wherry.dockerapi.version import MAXIMUM, MINIMUM, ApiVersion, accept, parse
from wherry.kit.errors import InvalidInput


def test_versions_compare_by_number() -> None:
    assert parse("1.9") < parse("v1.12") < parse("1.41")
    assert str(parse("v1.41")) == "1.41"


@pytest.mark.parametrize("text", ["", "1", "1.", "x", "1.4.1", "-1.2", "1.99999"])
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse(text)


def test_without_a_version_the_newest_is_meant() -> None:
    assert accept(None) == accept("") == MAXIMUM


@pytest.mark.parametrize("version", [MINIMUM, ApiVersion(1, 24), MAXIMUM])
def test_the_range_is_accepted(version: ApiVersion) -> None:
    assert accept(str(version)) == version


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("1.99", "client version 1.99 is too new. Maximum supported API version is 1.51"),
        (
            "1.1",
            "client version 1.1 is too old. Minimum supported API version is 1.12,"
            " please upgrade your client to a newer version",
        ),
    ],
)
def test_outside_of_it_dockerds_text_tells(text: str, answer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        accept(text)
    assert str(caught.value) == answer
