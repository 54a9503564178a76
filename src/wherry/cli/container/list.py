"""`wherry ps`."""

import json
import re
from collections.abc import Iterable, Iterator

from wherry.cli import table, times
from wherry.cli.command import Arity, Command
from wherry.cli.container.published import shown_ports
from wherry.cli.filters import filter_flag, gathered
from wherry.cli.flags import number, switch, text
from wherry.cli.session import Session
from wherry.cli.template.values import Row
from wherry.client import containers
from wherry.client.document import Document
from wherry.kit.errors import InvalidInput
from wherry.kit.ids import SHORT
from wherry.kit.units import human_size
from wherry.oci import reference as references

TABLE = (
    "table {{.ID}}\\t{{.Image}}\\t{{.Command}}\\t{{.RunningFor}}\\t{{.Status}}\\t{{.Ports}}"
    "\\t{{.Names}}"
)
RAW = (
    "container_id: {{.ID}}\\nimage: {{.Image}}\\ncommand: {{.Command}}\\n"
    "created_at: {{.CreatedAt}}\\nstate: {{- pad .State 1 0}}\\nstatus: {{- pad .Status 1 0}}\\n"
    "names: {{.Names}}\\nlabels: {{- pad .Labels 1 0}}\\nports: {{- pad .Ports 1 0}}\\n"
)
HEADS = {
    "ID": "CONTAINER ID",
    "Names": "NAMES",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "CreatedAt": "CREATED AT",
    "RunningFor": "CREATED",
    "Ports": "PORTS",
    "State": "STATE",
    "Status": "STATUS",
    "Size": "SIZE",
    "Labels": "LABELS",
    "Mounts": "MOUNTS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Networks": "NETWORKS",
}


def list_containers(
    session: Session,
    arguments: list[str],
    *,
    every: bool,
    filter: list[tuple[str, str]],
    format: str,
    last: int,
    latest: bool,
    no_trunc: bool,
    quiet: bool,
    size: bool,
) -> None:
    """List containers."""
    del arguments
    limit = 1 if latest else last
    form = chosen_format(session, format, quiet=quiet, size=size)
    found = containers.listing(
        session.client,
        stopped=every,
        limit=limit,
        size=size or bool(re.search(r"\.Size\b|json \.\s*}|^json$", form)),
        filters=gathered(filter),
    )
    table.show(session, form, HEADS, rows(found, cut=not no_trunc))


def chosen_format(session: Session, form: str, *, quiet: bool, size: bool) -> str:
    """The format in force: `--format`, config.json's psFormat, or the table."""
    form = form or ("" if quiet else session.config.document.text("psFormat"))
    if form == "raw":
        return "container_id: {{.ID}}" if quiet else RAW + ("size: {{.Size}}\\n" if size else "")
    if quiet:
        return "{{.ID}}"
    if form in ("", "table"):
        return TABLE + ("\\t{{.Size}}" if size else "")
    return form


def rows(found: Iterable[Document], *, cut: bool) -> Iterator[Row]:
    """Container summaries as the fields that a format may name."""
    for item in found:
        labels = item.mapping("Labels")
        row = Row(
            ID=item.text("Id")[:SHORT] if cut else item.text("Id"),
            Names=_names(item.texts("Names"), cut=cut),
            Image=_image(item, cut=cut),
            Command=_command(item.text("Command"), cut=cut),
            CreatedAt=times.local(item.number("Created")),
            RunningFor=times.ago(item.number("Created")),
            Ports=shown_ports(item.children("Ports")),
            State=item.text("State"),
            Status=item.text("Status"),
            Size=_size(item),
            Labels=",".join(f"{name}={labels[name]}" for name in sorted(labels)),
            Mounts=",".join(_mounts(item, cut=cut)),
            LocalVolumes=str(_local_volumes(item)),
            Networks=",".join(item.child("NetworkSettings", "Networks").raw),
        )
        row["Label"] = _labelled(labels)
        yield row


def _labelled(labels: dict[str, str]) -> object:
    def label(name: object) -> str:
        return labels.get(str(name), "")

    return label


def _names(names: list[str], *, cut: bool) -> str:
    """All names; shortened, the first that is no link's."""
    bare = [name.removeprefix("/") for name in names]
    if cut:
        return next((name for name in bare if "/" not in name), "")
    return ",".join(bare)


def _image(item: Document, *, cut: bool) -> str:
    image, image_id = item.text("Image"), item.text("ImageID").removeprefix("sha256:")
    if not image:
        return "<no image>"
    if not cut:
        return image
    bare = image.removeprefix("sha256:")
    if image_id and bare[:SHORT] == image_id[:SHORT]:
        return bare[:SHORT]
    try:
        return references.parse(image)._replace(digest=None).familiar
    except InvalidInput:
        return image


def _command(text: str, *, cut: bool) -> str:
    return json.dumps(ellipsis(text, 20) if cut else text, ensure_ascii=False)


def ellipsis(text: str, width: int) -> str:
    """At most `width` characters, the last one an ellipsis where text was cut."""
    return text if len(text) <= width else text[: width - 1] + "…"


def _size(item: Document) -> str:
    own = human_size(item.number("SizeRw"))
    whole = item.number("SizeRootFs")
    return f"{own} (virtual {human_size(whole)})" if whole > 0 else own


def _mounts(item: Document, *, cut: bool) -> Iterator[str]:
    for mount in item.children("Mounts"):
        name = mount.text("Name") or mount.text("Source")
        yield ellipsis(name, 15) if cut else name


def _local_volumes(item: Document) -> int:
    return sum(mount.text("Driver") == "local" for mount in item.children("Mounts"))


command = Command(
    "ps",
    list_containers,
    "List containers",
    arity=Arity(0, 0),
    flags=(
        switch("all a", "Show all containers (default shows just running)", dest="every"),
        filter_flag(),
        text("format", "Pretty-print containers using a Go template"),
        number("last n", "Show n last created containers (includes all states)", default=-1),
        switch("latest l", "Show the latest created container (includes all states)"),
        switch("no-trunc", "Don't truncate output"),
        switch("quiet q", "Only display container IDs"),
        switch("size s", "Display total file sizes"),
    ),
)
