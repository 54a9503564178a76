"""`wherry context ls` and `inspect`."""

from collections.abc import Iterator, Sequence

from wherry.cli import table
from wherry.cli.command import Arity, Command
from wherry.cli.flags import switch, text
from wherry.cli.session import Session
from wherry.cli.system.inspect import renderer
from wherry.cli.template.values import Row
from wherry.client import contexts
from wherry.client.contexts import Context, Store
from wherry.client.document import Document, Json
from wherry.kit.errors import WherryError

TABLE = "table {{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}"
HEADS = {
    "Name": "NAME",
    "Description": "DESCRIPTION",
    "DockerEndpoint": "DOCKER ENDPOINT",
    "Error": "ERROR",
}


def list_contexts(session: Session, arguments: list[str], *, format: str, quiet: bool) -> None:
    """List contexts."""
    del arguments
    form = "{{.Name}}" if quiet else format or TABLE
    table.show(session, TABLE if form == "table" else form, HEADS, list(_rows(session)))


def _rows(session: Session) -> Iterator[Row]:
    store = Store(session.config_folder)
    current = session.context
    about = "Current DOCKER_HOST based configuration"
    yield _row(contexts.DEFAULT, about, _default_host(session), current)
    for name in store.names():
        context = store.read(name)
        yield _row(name, context.description, context.host, current)
    if current not in (contexts.DEFAULT, *store.names()):
        yield _row(current, "", "", current, f'context "{current}": not found')


def _row(name: str, description: str, host: str, current: str, error: str = "") -> Row:
    return Row(
        Name=name,
        Description=description,
        DockerEndpoint=host,
        Current=name == current,
        Error=error,
    )


def _default_host(session: Session) -> str:
    try:
        return str(session.default_endpoint)
    except WherryError:
        return ""


def inspect(session: Session, arguments: list[str], *, format: str) -> None:
    """Display detailed information on one or more contexts."""
    store = Store(session.config_folder)
    names: Sequence[str] = arguments or [session.context]
    render = renderer(format)
    session.write(render([_told(session, store, name) for name in names]))


def _told(session: Session, store: Store, name: str) -> Document:
    if name == contexts.DEFAULT:
        engine = contexts.Engine(_default_host(session))
        meta, tls = "<IN MEMORY>", "<IN MEMORY>"
        context = contexts.changed(Context(Document({"Name": name})), None, engine)
    else:
        context = store.read(name)
        meta, tls = store.places(name)
    return Document({**_described(context), "Storage": {"MetadataPath": meta, "TLSPath": tls}})


def _described(context: Context) -> dict[str, Json]:
    material: dict[str, Json] = {}
    for path in sorted(context.files):
        endpoint, _, name = path.rpartition("/")
        names = material.setdefault(endpoint, [])
        assert isinstance(names, list)
        names.append(name)
    endpoints = dict(context.meta.child("Endpoints").raw)
    about = dict(context.meta.child("Metadata").raw)
    return {
        "Name": context.name,
        "Metadata": about,
        "Endpoints": endpoints,
        "TLSMaterial": material,
    }


list_command = Command(
    "ls",
    list_contexts,
    "List contexts",
    arity=Arity(0, 0),
    flags=(
        text("format", "Format output using a Go template"),
        switch("quiet q", "Only show context names"),
    ),
)
inspect_command = Command(
    "inspect",
    inspect,
    "Display detailed information on one or more contexts",
    usage="[CONTEXT] [CONTEXT...]",
    flags=(text("format f", "Format the output using the given Go template"),),
)
