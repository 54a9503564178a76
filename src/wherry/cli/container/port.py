"""`wherry port`."""

from collections.abc import Iterator

from wherry.cli.command import Arity, Command, Failed
from wherry.cli.container.published import joined
from wherry.cli.session import Session
from wherry.client import containers
from wherry.client.document import Document


def port(session: Session, arguments: list[str]) -> None:
    """List port mappings or a specific mapping for the container."""
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


command = Command(
    "port",
    port,
    "List port mappings or a specific mapping for the container",
    usage="CONTAINER [PRIVATE_PORT[/PROTO]]",
    arity=Arity(1, 2),
)
