"""`wherry system df`."""

from collections.abc import Callable, Iterator, Sequence

from wherry.cli import table
from wherry.cli.command import Arity, Command, Failed
from wherry.cli.container import list as container_list
from wherry.cli.flags import switch, text
from wherry.cli.image import list as image_list
from wherry.cli.session import Session
from wherry.cli.template.values import Row
from wherry.client import system
from wherry.client.document import Document
from wherry.kit.units import human_size

TABLE = "table {{.Type}}\\t{{.TotalCount}}\\t{{.Active}}\\t{{.Size}}\\t{{.Reclaimable}}"
HEADS = {
    "Type": "TYPE",
    "TotalCount": "TOTAL",
    "Active": "ACTIVE",
    "Size": "SIZE",
    "Reclaimable": "RECLAIMABLE",
}
IMAGES = (
    "table {{.Repository}}\\t{{.Tag}}\\t{{.ID}}\\t{{.CreatedSince}}\\t{{.VirtualSize}}"
    "\\t{{.SharedSize}}\\t{{.UniqueSize}}\\t{{.Containers}}"
)
CONTAINERS = (
    "table {{.ID}}\\t{{.Image}}\\t{{.Command}}\\t{{.LocalVolumes}}\\t{{.Size}}\\t{{.RunningFor}}"
    "\\t{{.Status}}\\t{{.Names}}"
)
VOLUMES = "table {{.Name}}\\t{{.Links}}\\t{{.Size}}"
CACHE_HEADS = "CACHE ID\tCACHE TYPE\tSIZE\tCREATED\tLAST USED\tUSAGE\tSHARED"
VOLUME_HEADS = {"Name": "VOLUME NAME", "Links": "LINKS", "Size": "SIZE"}


def usage(session: Session, arguments: list[str], *, format: str, verbose: bool) -> None:
    """Show how much disk images, containers, volumes and the build cache take."""
    del arguments
    if verbose and format:
        raise Failed("the verbose and the format options conflict")
    found = system.disk_usage(session.client)
    if verbose:
        session.write(_verbose(found))
    else:
        form = TABLE if format in ("", "table") else format
        table.show(session, form, HEADS, rows(found))


def rows(found: Document) -> Iterator[Row]:
    """One row a kind of thing."""
    yield _images(found)
    yield _row("Containers", found.children("Containers"), "SizeRw", _is_running)
    yield _row("Local Volumes", found.children("Volumes"), "Size", _has_users)
    yield _row("Build Cache", found.children("BuildCache"), "Size", lambda item: item.flag("InUse"))


def _images(found: Document) -> Row:
    items, size = found.children("Images"), found.number("LayersSize")
    active = [item for item in items if item.number("Containers") > 0]
    used = sum(_own_size(item) for item in active)
    return _filled("Images", len(items), len(active), size, size - used)


def _own_size(item: Document) -> int:
    shared = item.number("SharedSize")
    size = item.number("VirtualSize") or item.number("Size")
    return 0 if size == -1 or shared == -1 else size - shared


def _is_running(item: Document) -> bool:
    return item.text("State") in ("running", "paused", "restarting")


def _has_users(item: Document) -> bool:
    return item.number("UsageData", "RefCount") > 0


def _row(
    kind: str, items: Sequence[Document], field: str, is_active: Callable[[Document], bool]
) -> Row:
    path = ("UsageData", field) if kind == "Local Volumes" else (field,)
    sizes = [(max(item.number(*path), 0), is_active(item)) for item in items]
    total = sum(size for size, _ in sizes)
    free = sum(size for size, active in sizes if not active)
    return _filled(kind, len(items), sum(active for _, active in sizes), total, free)


def _filled(kind: str, count: int, active: int, size: int, free: int) -> Row:
    share = f" ({free * 100 // size}%)" if size > 0 else ""
    return Row(
        Type=kind,
        TotalCount=str(count),
        Active=str(active),
        Size=human_size(size, 4),
        Reclaimable=human_size(free, 4) + share,
    )


def _verbose(found: Document) -> str:
    images = image_list.rows(found.children("Images"), cut=True)
    containers = _containers(found)
    parts = (
        ("Images", table.render(IMAGES, image_list.HEADS, images)),
        ("Containers", table.render(CONTAINERS, container_list.HEADS, containers)),
        ("Local Volumes", table.render(VOLUMES, VOLUME_HEADS, _volumes(found))),
    )
    text = "\n".join(f"{name} space usage:\n\n{body}" for name, body in parts)
    return f"{text}\nBuild cache usage: 0B\n\n{table.columns([CACHE_HEADS])}"


def _containers(found: Document) -> Iterator[Row]:
    """Rows as `ps` has them, but a size without that of the image."""
    items = found.children("Containers")
    for row, item in zip(container_list.rows(items, cut=True), items, strict=True):
        yield Row(row | {"Size": human_size(item.number("SizeRw"))})


def _volumes(found: Document) -> Iterator[Row]:
    for item in found.children("Volumes"):
        yield Row(
            Name=item.text("Name"),
            Links=str(item.number("UsageData", "RefCount")),
            Size=human_size(item.number("UsageData", "Size"), 4),
        )


command = Command(
    "df",
    usage,
    "Show disk usage",
    arity=Arity(0, 0),
    flags=(
        text("format", "Pretty-print using a Go template"),
        switch("verbose v", "Show detailed information on space usage"),
    ),
)
