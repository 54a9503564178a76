"""Lists of things as tables, as lines of a template, or as JSON: `--format`, `-q`."""

from collections.abc import Iterable, Mapping, Sequence

from wherry.cli.session import Session
from wherry.cli.template.evaluate import Template
from wherry.cli.template.functions import FUNCTIONS, HEADINGS
from wherry.cli.template.nodes import TemplateError
from wherry.cli.template.values import Row
from wherry.kit.errors import InvalidInput

MIN_WIDTH = 10
PADDING = 3

Heads = Mapping[str, str]


def show(session: Session, form: str, heads: Heads, rows: Iterable[Row]) -> None:
    """Write the rows in a format: `table …`, `json`, or a template for each row.

    Raises InvalidInput for a template that is wrong.
    """
    session.write(render(form, heads, rows))


def render(form: str, heads: Heads, rows: Iterable[Row]) -> str:
    """The text that `show` writes."""
    is_table = form.startswith("table")
    body = "{{json .}}" if form == "json" else form.removeprefix("table").strip(" ")
    body = body.replace("\\t", "\t").replace("\\n", "\n")
    try:
        lines = _lines(body, rows)
        if not is_table:
            return "".join(line + "\n" for line in lines)
        heading = Template(body, HEADINGS).render(_heading(heads))
    except TemplateError as error:
        raise InvalidInput(f"Template parsing error: {error}") from error
    return columns([heading, *lines])


def _lines(body: str, rows: Iterable[Row]) -> list[str]:
    template = Template(body, FUNCTIONS)
    return [template.render(row) for row in rows]


def _heading(heads: Heads) -> Row:
    row = Row(heads)
    row["Label"] = _label_heading
    return row


def _label_heading(name: object) -> str:
    return str(name).rsplit(".", 1)[-1].replace("-", " ").replace("_", " ")


def columns(lines: Sequence[str], least: int = MIN_WIDTH) -> str:
    """Lines with tabs between their cells, aligned as Go's tabwriter does."""
    grid = [line.split("\t") for text in lines for line in text.split("\n")]
    widths = _widths(grid, least)
    return "".join(_aligned(cells, widths) + "\n" for cells in grid)


def _widths(grid: Sequence[Sequence[str]], least: int) -> list[int]:
    widths: list[int] = []
    for cells in grid:
        for place, cell in enumerate(cells[:-1]):
            if place == len(widths):
                widths.append(least)
            widths[place] = max(widths[place], len(cell) + PADDING)
    return widths


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    head = "".join(cell.ljust(width) for cell, width in zip(cells[:-1], widths, strict=False))
    return head + cells[-1]
