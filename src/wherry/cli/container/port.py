"""`wherry port`."""

from collections.abc import Iterator, Sequence

from wherry.cli.command import Arity, Command, Failed
from wherry.cli.container import exposure
from wherry.cli.container.published import joined
from wherry.cli.flags import switch
from wherry.cli.session import Session
from wherry.cli.table import columns
from wherry.client import containers
from wherry.client.document import Document


def port(session: Session, arguments: list[str], *, exposure: bool) -> None:
    """List port mappings or a specific mapping for the container."""
    if exposure:
        _show_exposure(session, arguments)
        return
    if not arguments:
        raise Failed(f"\"wherry port\" {Arity(1, 2).complaint(0)}\nSee 'wherry port --help'.")
    found = containers.inspect(session.client, arguments[0])
    ports = found.child("NetworkSettings", "Ports")
    if len(arguments) > 1:
        number, _, protocol = arguments[1].partition("/")
        wanted = f"{number}/{protocol or 'tcp'}"
        lines = list(_bindings(ports, wanted))
        if not lines:
            raise Failed(f"Error: No public port '{wanted}' published for {arguments[0]}")
    else:
        lines = sorted(f"{name} -> {line}" for name in ports.raw for line in _bindings(ports, name))
    for line in lines:
        session.print(line)


def _bindings(ports: Document, name: str) -> Iterator[str]:
    for binding in ports.children(name):
        yield joined(binding.text("HostIp"), binding.text("HostPort"))


def _show_exposure(session: Session, arguments: Sequence[str]) -> None:
    """Who can reach what: of one container, or of all that run."""
    chosen = arguments[:1] or [item.text("Id") for item in containers.listing(session.client)]
    rows = ["CONTAINER\tPORT\tON\tREACHABLE FROM"]
    for name in chosen:
        found = containers.inspect(session.client, name)
        shown = found.text("Name").lstrip("/")
        rows += ["\t".join((shown, *line)) for line in exposure.lines(found)]
    session.write(columns(rows))


command = Command(
    "port",
    port,
    "List port mappings or a specific mapping for the container",
    usage="CONTAINER [PRIVATE_PORT[/PROTO]]",
    arity=Arity(0, 2),
    flags=(switch("exposure", "Show who can reach the ports, of all containers if none is named"),),
)
