"""`wherry inspect`, `wherry container inspect`, `wherry image inspect`."""

import json
from collections.abc import Callable, Mapping, Sequence

from wherry.cli.command import Arity, Command, Failed
from wherry.cli.flags import Flag, switch, text
from wherry.cli.session import Session, describe
from wherry.cli.template.evaluate import Template
from wherry.cli.template.nodes import TemplateError
from wherry.client import containers, images, networks
from wherry.client.client import Client, get
from wherry.client.document import Document
from wherry.client.http import quote
from wherry.kit.errors import NotFound, WherryError

Look = Callable[[Client, str, bool], Document]

LOOKS: Mapping[str, Look] = {
    "container": lambda client, name, size: containers.inspect(client, name, size=size),
    "image": lambda client, name, _: images.inspect(client, name),
    "network": lambda client, name, _: networks.inspect(client, name),
    "volume": lambda client, name, _: get(client, f"/volumes/{quote(name)}"),
}
"""How objects of each kind are looked up, in the order in which a bare name is tried."""
LATER = ("node", "service", "task", "secret", "config", "plugin")


def inspect(session: Session, arguments: list[str], *, format: str, size: bool, type: str) -> None:
    """Return low-level information on objects of any kind, or of one."""
    if type in LATER:
        raise Failed(f"objects of type {type} come in a later release")
    if type and type not in LOOKS:
        raise Failed(f'"{type}" is not a valid value for --type')
    looks = [LOOKS[type]] if type else list(LOOKS.values())
    show(session, arguments, looks, format, size=size)


def inspect_container(session: Session, arguments: list[str], *, format: str, size: bool) -> None:
    """Display detailed information on one or more containers."""
    show(session, arguments, [LOOKS["container"]], format, size=size)


def inspect_image(session: Session, arguments: list[str], *, format: str) -> None:
    """Display detailed information on one or more images."""
    show(session, arguments, [LOOKS["image"]], format, size=False)


def inspect_network(session: Session, arguments: list[str], *, format: str, verbose: bool) -> None:
    """Display detailed information on one or more networks."""

    def look(client: Client, name: str, size: bool) -> Document:
        del size
        return networks.inspect(client, name, verbose=verbose)

    show(session, arguments, [look], format, size=False)


def inspect_volume(session: Session, arguments: list[str], *, format: str) -> None:
    """Display detailed information on one or more volumes."""
    show(session, arguments, [LOOKS["volume"]], format, size=False)


def show(
    session: Session, names: Sequence[str], looks: Sequence[Look], form: str, *, size: bool
) -> None:
    """Write what was found, as JSON or by a template; then the errors. Raises Failed."""
    render = renderer(form)
    found, problems = [], []
    for name in names:
        try:
            found.append(_first(session.client, name, looks, size=size))
        except WherryError as error:
            problems.append(describe(error))
    session.write(render(found))
    if problems:
        raise Failed("\n".join(problems))


def _first(client: Client, name: str, looks: Sequence[Look], *, size: bool) -> Document:
    missing: NotFound | None = None
    for look in looks:
        try:
            return look(client, name, size)
        except NotFound as error:
            missing = error
    if len(looks) == 1 and missing is not None:
        raise missing
    raise Failed(f"Error: No such object: {name}")


def renderer(form: str) -> Callable[[Sequence[Document]], str]:
    """How the objects become text. Raises Failed for a template that cannot be read."""
    if not form or form == "json":
        return lambda found: _as_json(found, pretty=not form)
    try:
        template = Template(form.replace("\\t", "\t").replace("\\n", "\n"))
    except TemplateError as error:
        raise Failed(f"template parsing error: {error}", 64) from error
    return lambda found: _by_template(found, template)


def _as_json(found: Sequence[Document], *, pretty: bool) -> str:
    separators = (",", ": ") if pretty else (",", ":")
    raw = [dict(item.raw) for item in found]
    indent = 4 if pretty else None
    return json.dumps(raw, indent=indent, separators=separators, ensure_ascii=False) + "\n"


def _by_template(found: Sequence[Document], template: Template) -> str:
    try:
        return "".join(template.render(item.raw) + "\n" for item in found) or "\n"
    except TemplateError as error:
        raise Failed(f"template parsing error: template: :1: executing {error}") from error


_SIZE = "Display total file sizes if the type is container"
_FORMAT = text("format f", "Format the output using the given Go template")

command = Command(
    "inspect",
    inspect,
    "Return low-level information on objects",
    usage="NAME|ID [NAME|ID...]",
    arity=Arity(1),
    flags=(_FORMAT, switch("size s", _SIZE), text("type", "Return JSON for specified type")),
)


def _of_kind(kind: str, callback: Callable[..., None], *more: Flag) -> Command:
    return Command(
        "inspect",
        callback,
        f"Display detailed information on one or more {kind}s",
        usage=f"{kind.upper()} [{kind.upper()}...]",
        arity=Arity(1),
        flags=(_FORMAT, *more),
    )


container = _of_kind("container", inspect_container, switch("size s", "Display total file sizes"))
image = _of_kind("image", inspect_image)
network = _of_kind(
    "network", inspect_network, switch("verbose v", "Verbose output for diagnostics")
)
volume = _of_kind("volume", inspect_volume)
