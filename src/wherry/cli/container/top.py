"""`wherry top`."""

from wherry.cli.command import Arity, Command
from wherry.cli.session import Session
from wherry.cli.table import columns
from wherry.client import containers
from wherry.client.document import Json

WIDTH = 20


def top(session: Session, arguments: list[str]) -> None:
    """Display the running processes of a container."""
    found = containers.top(session.client, arguments[0], " ".join(arguments[1:]))
    processes = found.value("Processes")
    lines = ["\t".join(found.texts("Titles"))]
    lines += [_line(row) for row in processes] if isinstance(processes, list) else []
    session.write(columns(lines, WIDTH))


def _line(row: Json) -> str:
    return "\t".join(str(cell) for cell in row) if isinstance(row, list) else ""


command = Command(
    "top",
    top,
    "Display the running processes of a container",
    usage="CONTAINER [ps OPTIONS]",
    arity=Arity(1),
    interspersed=False,
)
