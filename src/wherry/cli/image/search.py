"""`wherry search`."""

from collections.abc import Iterable, Iterator

from wherry.cli import table
from wherry.cli.command import Arity, Command
from wherry.cli.filters import filter_flag, gathered
from wherry.cli.flags import number, switch, text
from wherry.cli.session import Session
from wherry.cli.template.values import Row
from wherry.client import images
from wherry.client.config import registry_auth
from wherry.client.document import Document

HEADS = {
    "Name": "NAME",
    "Description": "DESCRIPTION",
    "StarCount": "STARS",
    "IsOfficial": "OFFICIAL",
    "IsAutomated": "AUTOMATED",
}
TABLE = "table {{.Name}}\\t{{.Description}}\\t{{.StarCount}}\\t{{.IsOfficial}}\\t{{.IsAutomated}}"
WIDTH = 45


def search(
    session: Session,
    arguments: list[str],
    *,
    filter: list[tuple[str, str]],
    format: str,
    limit: int,
    no_trunc: bool,
) -> None:
    """Search a registry for images."""
    term = arguments[0]
    head, slash, _ = term.partition("/")
    domain = head if slash and ("." in head or ":" in head) else "docker.io"
    query = {"term": term, **({"limit": str(limit)} if limit else {})}
    auth = registry_auth(session.config, domain)
    found = images.search(session.client, query, gathered(filter), auth)
    form = TABLE if format in ("", "table") else format
    table.show(session, form, HEADS, rows(found, cut=not no_trunc))


def rows(found: Iterable[Document], *, cut: bool) -> Iterator[Row]:
    """Hits as the fields that a format may name."""
    for item in found:
        yield Row(
            Name=item.text("name"),
            Description=_shown(item.text("description"), cut=cut),
            StarCount=str(item.number("star_count")),
            IsOfficial="[OK]" if item.flag("is_official") else "",
            IsAutomated="[OK]" if item.flag("is_automated") else "",
        )


def _shown(text: str, *, cut: bool) -> str:
    line = " ".join(text.split())
    return f"{line[: WIDTH - 1]}…" if cut and len(line) > WIDTH else line


command = Command(
    "search",
    search,
    "Search Docker Hub for images",
    usage="TERM",
    arity=Arity(1, 1),
    flags=(
        filter_flag(),
        text("format", "Pretty-print search using a Go template"),
        number("limit", "Max number of search results"),
        switch("no-trunc", "Don't truncate output"),
    ),
)
