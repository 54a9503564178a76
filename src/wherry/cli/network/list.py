"""`wherry network ls`."""

from collections.abc import Iterable, Iterator

from wherry.cli import table
from wherry.cli.command import Arity, Command
from wherry.cli.filters import filter_flag, gathered
from wherry.cli.flags import switch, text
from wherry.cli.session import Session
from wherry.cli.template.values import Row
from wherry.client import networks
from wherry.client.document import Document
from wherry.kit.ids import SHORT

HEADS = {
    "ID": "NETWORK ID",
    "Name": "NAME",
    "Driver": "DRIVER",
    "Scope": "SCOPE",
    "IPv4": "IPV4",
    "IPv6": "IPV6",
    "Internal": "INTERNAL",
    "Labels": "LABELS",
    "CreatedAt": "CREATED AT",
}
TABLE = "table {{.ID}}\\t{{.Name}}\\t{{.Driver}}\\t{{.Scope}}"

RAW = "network_id: {{.ID}}\\nname: {{.Name}}\\ndriver: {{.Driver}}\\nscope: {{.Scope}}\\n"


def list_networks(
    session: Session,
    arguments: list[str],
    *,
    filter: list[tuple[str, str]],
    format: str,
    no_trunc: bool,
    quiet: bool,
) -> None:
    """List networks."""
    del arguments
    found = networks.listing(session.client, gathered(filter))
    found.sort(key=lambda item: item.text("Name"))
    form = _format(session, format, quiet=quiet)
    table.show(session, form, HEADS, rows(found, cut=not no_trunc))


def _format(session: Session, form: str, *, quiet: bool) -> str:
    form = form or ("" if quiet else session.config.document.text("networksFormat"))
    if form == "raw":
        return "network_id: {{.ID}}" if quiet else RAW
    if form in ("", "table"):
        return "{{.ID}}" if quiet else TABLE
    return form


def rows(found: Iterable[Document], *, cut: bool) -> Iterator[Row]:
    """Networks as the fields that a format may name."""
    for item in found:
        labels = item.mapping("Labels")
        yield Row(
            ID=item.text("Id")[:SHORT] if cut else item.text("Id"),
            Name=item.text("Name"),
            Driver=item.text("Driver"),
            Scope=item.text("Scope"),
            IPv4=_yes(item.value("EnableIPv4") is not False),
            IPv6=_yes(item.flag("EnableIPv6")),
            Internal=_yes(item.flag("Internal")),
            Labels=",".join(f"{key}={value}" for key, value in sorted(labels.items())),
            Label=lambda name, known=labels: known.get(str(name), ""),
            CreatedAt=item.text("Created"),
        )


def _yes(value: bool) -> str:
    return str(value).lower()


command = Command(
    "ls",
    list_networks,
    "List networks",
    arity=Arity(0, 0),
    flags=(
        filter_flag("Provide filter values (e.g. 'driver=bridge')"),
        text("format", "Format output using a Go template"),
        switch("no-trunc", "Do not truncate the output"),
        switch("quiet q", "Only display network IDs"),
    ),
)
