"""Tables, quiet lists and JSON lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.cli import table
from wherry.cli.template.values import Row
from wherry.kit.errors import InvalidInput

HEADS = {"ID": "CONTAINER ID", "Name": "NAMES"}
ROWS = [Row(ID="abc", Name="web"), Row(ID="a-longer-id-than-head", Name="db")]


def test_a_table() -> None:
    assert table.render("table {{.ID}}\\t{{.Name}}", HEADS, ROWS) == (
        "CONTAINER ID            NAMES\nabc                     web\na-longer-id-than-head   db\n"
    )


def test_an_empty_table_has_its_heading() -> None:
    assert table.render("table {{.Name}}\t{{.ID}}", HEADS, []) == "NAMES     CONTAINER ID\n"


def test_functions_leave_the_heading_alone() -> None:
    shown = table.render('table {{upper .Name}}\t{{.Label "my.own-key"}}', HEADS, [])
    assert shown == "NAMES     own key\n"


def test_lines_and_json() -> None:
    assert table.render("{{.ID}}\\n{{.Name}}", HEADS, ROWS[:1]) == "abc\nweb\n"
    assert table.render("json", HEADS, ROWS[:1]) == '{"ID":"abc","Name":"web"}\n'


def test_a_wrong_template() -> None:
    with pytest.raises(InvalidInput, match="Template parsing error"):
        table.render("{{.Nope}}", HEADS, ROWS)


cells = st.text(alphabet=st.characters(exclude_characters="\t\n", codec="utf-8"), max_size=20)


@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=6))
def test_columns_begin_at_one_place(rows: list[list[str]]) -> None:
    written = table.columns(["\t".join(row) for row in rows]).split("\n")
    starts = [0, 0, 0]
    for place in (1, 2):
        widest = max(len(row[place - 1]) for row in rows)
        starts[place] = starts[place - 1] + max(10, widest + 3)
    for row, line in zip(rows, written, strict=False):
        for start, cell in zip(starts, row, strict=True):
            assert line[start : start + len(cell)] == cell
