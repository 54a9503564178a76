"""`wherry context create` and `update`."""

from wherry.cli.command import Arity, Command, Failed
from wherry.cli.flags import listing, text
from wherry.cli.session import Session
from wherry.cli.values import boolean, split_fields
from wherry.client import contexts
from wherry.client.contexts import Context, Engine, Store
from wherry.client.endpoint import Endpoint, Tls
from wherry.client.transport import tls_context
from wherry.kit.errors import InvalidInput

_FILES = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}


def create(
    session: Session, arguments: list[str], *, description: str, docker: list[str], from_: str
) -> None:
    """Create a context: of flags, of another one, or of the engine that is in force."""
    name = arguments[0]
    contexts.check_name(name)
    store = Store(session.config_folder)
    if docker and from_:
        raise Failed("cannot use --docker flag when --from is set")
    if docker:
        made = contexts.made(name, description, engine_of_flags(store, docker))
    else:
        made = _copied(session, store, name, description, from_ or session.context)
    store.add(made)
    session.print(name)
    session.complain(f'Successfully created context "{name}"')


def _copied(session: Session, store: Store, name: str, description: str, source: str) -> Context:
    if source == contexts.DEFAULT:
        return contexts.made(name, description, _engine_of_endpoint(session.endpoint))
    found = store.read(source)
    return contexts.renamed(contexts.changed(found, description or None, None), name)


def _engine_of_endpoint(endpoint: Endpoint) -> Engine:
    tls = endpoint.tls
    if tls is None:
        return Engine(str(endpoint))
    named = zip(contexts.FILES, (tls.authority, tls.certificate, tls.key), strict=True)
    files = {name: _read(path) for name, path in named if path}
    return Engine(str(endpoint), not tls.verify, files)


def update(session: Session, arguments: list[str], *, description: str, docker: list[str]) -> None:
    """Update a context."""
    name = arguments[0]
    store = Store(session.config_folder)
    engine = engine_of_flags(store, docker) if docker else None
    store.write(contexts.changed(store.read(name), description or None, engine))
    session.print(name)
    session.complain(f'Successfully updated context "{name}"')


def engine_of_flags(store: Store, given: list[str]) -> Engine:
    """`--docker host=…,ca=…,cert=…,key=…,skip-tls-verify=…,from=…`. Raises InvalidInput."""
    values = dict(_pair(field) for line in given for field in split_fields(line))
    if "from" in values:
        if len(values) > 1:
            raise InvalidInput("--docker: with from= there is nothing else to say")
        return contexts.engine_of(store.read(values["from"]))
    unknown = set(values) - {"host", "skip-tls-verify", *_FILES}
    if unknown:
        raise InvalidInput(f"unrecognized config key: {sorted(unknown)[0]}")
    if not values.get("host"):
        raise InvalidInput("--docker: want host=ADDRESS")
    if any(values.get(key) for key in _FILES):
        ca, cert, key = (values.get(name, "") for name in _FILES)
        tls_context(Tls(ca, cert, key))
    files = {_FILES[key]: _read(values[key]) for key in _FILES if values.get(key)}
    skip = boolean(values.get("skip-tls-verify") or "false")
    return Engine(values["host"], skip, files)


def _pair(field: str) -> tuple[str, str]:
    key, equals, value = field.partition("=")
    if not equals:
        raise InvalidInput(f"--docker: {field} must be formatted as key=value")
    return key.strip(), value.strip()


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InvalidInput(f"open {path}: {(error.strerror or '').lower()}") from error


_DESCRIPTION = text("description", "Description of the context")
_DOCKER = listing(
    "docker", "set the docker endpoint: host=…,ca=…,cert=…,key=…", kind="stringToString"
)

create_command = Command(
    "create",
    create,
    "Create a context",
    usage="CONTEXT",
    arity=Arity(1, 1),
    flags=(
        _DESCRIPTION,
        _DOCKER,
        text("from", "create context from a named context", dest="from_"),
    ),
)
update_command = Command(
    "update",
    update,
    "Update a context",
    usage="CONTEXT",
    arity=Arity(1, 1),
    flags=(_DESCRIPTION, _DOCKER),
)
