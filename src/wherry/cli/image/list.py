"""`wherry images`."""

from collections.abc import Iterable, Iterator

from wherry.cli import table, times
from wherry.cli.command import Arity, Command
from wherry.cli.filters import filter_flag, gathered
from wherry.cli.flags import switch, text
from wherry.cli.session import Session
from wherry.cli.template.values import Row
from wherry.client import images
from wherry.client.document import Document
from wherry.kit.ids import SHORT
from wherry.kit.units import human_size
from wherry.oci import reference as references

NONE = "<none>"
HEADS = {
    "ID": "IMAGE ID",
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "Containers": "CONTAINERS",
    "VirtualSize": "SIZE",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
}


def list_images(
    session: Session,
    arguments: list[str],
    *,
    every: bool,
    digests: bool,
    filter: list[tuple[str, str]],
    format: str,
    no_trunc: bool,
    quiet: bool,
) -> None:
    """List images."""
    filters = gathered(filter)
    if arguments:
        filters["reference"] = [arguments[0]]
    form = _chosen_format(session, format, quiet=quiet, digests=digests)
    found = images.listing(session.client, intermediate=every, filters=filters)
    found.sort(key=lambda item: item.number("Created"), reverse=True)
    table.show(session, form, HEADS, rows(found, cut=not no_trunc, quiet=quiet))


def _chosen_format(session: Session, form: str, *, quiet: bool, digests: bool) -> str:
    form = form or ("" if quiet else session.config.document.text("imagesFormat"))
    if form == "raw":
        return _raw(quiet=quiet, digests=digests)
    if quiet:
        return "{{.ID}}"
    if form in ("", "table"):
        digest = "{{.Digest}}\\t" if digests else ""
        return (
            "table {{.Repository}}\\t{{.Tag}}\\t" + digest + "{{.ID}}\\t{{.CreatedSince}}"
            "\\t{{.Size}}"
        )
    return form


def _raw(*, quiet: bool, digests: bool) -> str:
    if quiet:
        return "image_id: {{.ID}}"
    digest = "digest: {{.Digest}}\\n" if digests else ""
    return (
        "repository: {{.Repository}}\\ntag: {{.Tag}}\\n" + digest + "image_id: {{.ID}}\\n"
        "created_at: {{.CreatedAt}}\\nvirtual_size: {{.Size}}\\n"
    )


def rows(found: Iterable[Document], *, cut: bool, quiet: bool = False) -> Iterator[Row]:
    """Image summaries as the fields that a format may name; one line a name."""
    for item in found:
        names = _names(item)
        for repository, tag, digest in names[:1] if quiet else names:
            yield _row(item, repository, tag, digest, cut=cut)


def _names(item: Document) -> list[tuple[str, str, str]]:
    """Repository, tag and digest of every name; an image without any is `<none>`."""
    tags = [references.parse(name) for name in item.texts("RepoTags") if NONE not in name]
    known: dict[str, str] = {}
    for written in item.texts("RepoDigests"):
        if NONE not in written:
            parsed = references.parse(written)
            known[parsed.familiar_repository] = str(parsed.digest)
    found = []
    for name in tags:
        digest = known.get(name.familiar_repository, NONE)
        found.append((name.familiar_repository, name.tag or NONE, digest))
    tagged = {name.familiar_repository for name in tags}
    found += [(name, NONE, digest) for name, digest in known.items() if name not in tagged]
    return found or [(NONE, NONE, NONE)]


def _row(item: Document, repository: str, tag: str, digest: str, *, cut: bool) -> Row:
    image_id = item.text("Id")
    return Row(
        ID=image_id.removeprefix("sha256:")[:SHORT] if cut else image_id,
        Repository=repository,
        Tag=tag,
        Digest=digest,
        CreatedSince=times.ago(item.number("Created")),
        CreatedAt=times.local(item.number("Created")),
        Size=human_size(item.number("Size")),
        Containers=_or_unknown(item.number("Containers")),
        VirtualSize=human_size(item.number("VirtualSize") or item.number("Size"), 4),
        SharedSize=_size_or_unknown(item.number("SharedSize")),
        UniqueSize=_size_or_unknown(_unique(item)),
    )


def _unique(item: Document) -> int:
    shared = item.number("SharedSize")
    return -1 if shared == -1 else item.number("Size") - shared


def _or_unknown(count: int) -> str:
    return "N/A" if count == -1 else str(count)


def _size_or_unknown(size: int) -> str:
    return "N/A" if size == -1 else human_size(size, 4)


command = Command(
    "images",
    list_images,
    "List images",
    usage="[REPOSITORY[:TAG]]",
    arity=Arity(0, 1),
    flags=(
        switch("all a", "Show all images (default hides intermediate images)", dest="every"),
        switch("digests", "Show digests"),
        filter_flag(),
        text("format", "Pretty-print images using a Go template"),
        switch("no-trunc", "Don't truncate output"),
        switch("quiet q", "Only show image IDs"),
    ),
)
