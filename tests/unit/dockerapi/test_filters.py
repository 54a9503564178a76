import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.dockerapi import filters
from wherry.kit.errors import InvalidInput

NAMES = st.text(min_size=1, max_size=8)


@given(st.dictionaries(NAMES, st.lists(st.text(max_size=8), unique=True, max_size=4), max_size=4))
def test_both_forms_mean_the_same(wanted: dict[str, list[str]]) -> None:
    import json

    old = filters.parse(json.dumps(wanted))
    new = filters.parse(filters.encode(wanted))
    assert old == new


def test_only_the_keys_of_values_count_as_with_dockerd() -> None:
    assert filters.parse('{"label":{"a":true,"b":false}}').get("label") == ("a", "b")
    assert filters.parse("null") == filters.Filters()


@pytest.mark.parametrize("text", ["x", "[]", "5", '{"a":5}', '{"a":[5]}', '{"a":{"b":1}}', "{"])
def test_broken_filters_are_the_clients_error(text: str) -> None:
    with pytest.raises(InvalidInput):
        filters.parse(text)


def test_unknown_names_are_refused_with_dockerds_text() -> None:
    with pytest.raises(InvalidInput, match="Invalid filter 'nope'"):
        filters.parse('{"nope":["a"]}').check(filters.CONTAINERS)


@pytest.mark.parametrize(
    ("wanted", "value", "matches"),
    [([], "any", True), (["web"], "myweb1", True), (["^web$"], "web1", False), (["["], "x", False)],
)
def test_match_is_a_search(wanted: list[str], value: str, matches: bool) -> None:
    assert filters.parse(filters.encode({"name": wanted})).match("name", value) is matches


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [(["a"], True), (["a=1"], True), (["a=2"], False), (["a", "c"], False), (["b="], True)],
)
def test_labels_must_all_be_there(wanted: list[str], matches: bool) -> None:
    labels = {"a": "1", "b": ""}
    assert filters.Filters({"label": tuple(wanted)}).labels("label", labels) is matches


def test_booleans() -> None:
    yes = filters.parse('{"dangling":["1"]}')
    assert yes.boolean("dangling", False) is True
    assert yes.boolean("all", True) is True
    for text in ('{"dangling":["maybe"]}', '{"dangling":["0","1"]}', '{"dangling":[]}'):
        with pytest.raises(InvalidInput, match="Invalid filter 'dangling="):
            filters.parse(text).boolean("dangling", False)
