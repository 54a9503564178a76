"""`wherry volume ls`."""

from collections.abc import Iterable, Iterator

from wherry.cli import table
from wherry.cli.command import Arity, Command
from wherry.cli.filters import filter_flag, gathered
from wherry.cli.flags import switch, text
from wherry.cli.session import Session
from wherry.cli.template.values import Row
from wherry.client import volumes
from wherry.client.document import Document
from wherry.kit.units import human_size

HEADS = {
    "Name": "VOLUME NAME",
    "Driver": "DRIVER",
    "Scope": "SCOPE",
    "Mountpoint": "MOUNTPOINT",
    "Labels": "LABELS",
    "Links": "LINKS",
    "Size": "SIZE",
}
TABLE = "table {{.Driver}}\\t{{.Name}}"


def list_volumes(
    session: Session,
    arguments: list[str],
    *,
    filter: list[tuple[str, str]],
    format: str,
    quiet: bool,
) -> None:
    """List volumes."""
    del arguments
    found = volumes.listing(session.client, gathered(filter))
    found.sort(key=lambda item: item.text("Name"))
    table.show(session, _format(session, format, quiet=quiet), HEADS, rows(found))


def _format(session: Session, form: str, *, quiet: bool) -> str:
    form = form or ("" if quiet else session.config.document.text("volumesFormat"))
    if form == "raw":
        return "name: {{.Name}}" if quiet else "name: {{.Name}}\\ndriver: {{.Driver}}\\n"
    if form in ("", "table"):
        return "{{.Name}}" if quiet else TABLE
    return form


def rows(found: Iterable[Document]) -> Iterator[Row]:
    """Volumes as the fields that a format may name."""
    for item in found:
        labels = item.mapping("Labels")
        yield Row(
            Name=item.text("Name"),
            Driver=item.text("Driver"),
            Scope=item.text("Scope"),
            Mountpoint=item.text("Mountpoint"),
            Labels=",".join(f"{key}={value}" for key, value in sorted(labels.items())),
            Label=lambda name, known=labels: known.get(str(name), ""),
            Links=_links(item),
            Size=_size(item),
        )


def _links(item: Document) -> str:
    count = item.value("UsageData", "RefCount")
    return "N/A" if count is None else str(count)


def _size(item: Document) -> str:
    size = item.value("UsageData", "Size")
    return human_size(size, 4) if isinstance(size, int) else "N/A"


command = Command(
    "ls",
    list_volumes,
    "List volumes",
    arity=Arity(0, 0),
    flags=(
        filter_flag("Provide filter values (e.g. 'dangling=true')"),
        text("format", "Format output using a Go template"),
        switch("quiet q", "Only display volume names"),
    ),
)
