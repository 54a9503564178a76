"""`wherry history`."""

from collections.abc import Iterable, Iterator

from wherry.cli import table, times
from wherry.cli.command import Arity, Command
from wherry.cli.container.list import ellipsis
from wherry.cli.flags import switch, text
from wherry.cli.session import Session
from wherry.cli.template.values import Row
from wherry.client import images
from wherry.client.document import Document
from wherry.kit.ids import SHORT
from wherry.kit.units import human_size

HUMAN = "table {{.ID}}\\t{{.CreatedSince}}\\t{{.CreatedBy}}\\t{{.Size}}\\t{{.Comment}}"
EXACT = "table {{.ID}}\\t{{.CreatedAt}}\\t{{.CreatedBy}}\\t{{.Size}}\\t{{.Comment}}"
HEADS = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
}


def history(
    session: Session,
    arguments: list[str],
    *,
    format: str,
    human: bool,
    no_trunc: bool,
    quiet: bool,
) -> None:
    """Show the history of an image."""
    if quiet:
        form = "{{.ID}}"
    elif format in ("", "table"):
        form = HUMAN if human else EXACT
    else:
        form = format
    found = images.history(session.client, arguments[0])
    table.show(session, form, HEADS, rows(found, human=human, cut=not no_trunc))


def rows(found: Iterable[Document], *, human: bool, cut: bool) -> Iterator[Row]:
    """Steps of an image as the fields that a format may name."""
    for item in found:
        image_id, made_by = item.text("Id"), item.text("CreatedBy").replace("\t", " ")
        size, created = item.number("Size"), item.number("Created")
        yield Row(
            ID=image_id.removeprefix("sha256:")[:SHORT] if cut else image_id,
            CreatedSince=times.ago(created) if human else times.local_iso(created),
            CreatedAt=times.local_iso(created),
            CreatedBy=ellipsis(made_by, 45) if cut else made_by,
            Size=human_size(size) if human else str(size),
            Comment=item.text("Comment"),
        )


command = Command(
    "history",
    history,
    "Show the history of an image",
    usage="IMAGE",
    arity=Arity(1, 1),
    flags=(
        text("format", "Pretty-print images using a Go template"),
        switch("human H", "Print sizes and dates in human readable format", default=True),
        switch("no-trunc", "Don't truncate output"),
        switch("quiet q", "Only show image IDs"),
    ),
)
