import pytest

from wherry.api.call import Call
from wherry.dockerapi.filters import CONTAINERS
from wherry.dockerapi.version import MAXIMUM
from wherry.kit.errors import InvalidInput


def call(query: str = "", body: bytes = b"", **headers: str) -> Call:
    async def read() -> bytes:
        return body

    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Call(
        None,
        method="GET",
        path="/",
        query=query,
        headers=named,
        read=read,
        version=MAXIMUM,
        name="",
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", True),
        ("true", True),
        ("True", True),
        ("yes", True),
        ("2", True),
        ("anything", True),
        ("", False),
        ("0", False),
        ("no", False),
        ("FALSE", False),
        (" none ", False),
    ],
)
def test_booleans_are_gos(text: str, value: bool) -> None:
    assert call(f"a={text}").flag("a") is value


def test_an_absent_boolean_is_its_default() -> None:
    assert call().flag("a", True) is True
    assert call("a").flag("a", True) is False


@pytest.mark.parametrize(("text", "value"), [("5", 5), ("-1", -1), ("+3", 3), ("", None)])
def test_numbers(text: str, value: int | None) -> None:
    assert call(f"t={text.replace('+', '%2B')}").integer("t") == value


@pytest.mark.parametrize("text", ["x", "1.5", "9" * 30, "0x10", "1_0", "²", "-", "+"])
def test_what_is_no_number_is_the_clients_error(text: str) -> None:
    with pytest.raises(InvalidInput, match="invalid syntax"):
        call(f"t={text}").integer("t")


def test_a_number_that_has_to_be_there() -> None:
    with pytest.raises(InvalidInput):
        call().required("h")


def test_repeated_values_keep_their_order() -> None:
    assert call("names=b&names=a&x=1").texts("names") == ("b", "a")
    assert call("names=b&names=a").text("names") == "b"


def test_filters_are_checked_where_asked() -> None:
    assert call('filters={"name":["a"]}').filters(CONTAINERS).get("name") == ("a",)
    with pytest.raises(InvalidInput, match="Invalid filter 'nope'"):
        call('filters={"nope":["a"]}').filters(CONTAINERS)
