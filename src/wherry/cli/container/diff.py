"""`wherry diff`."""

from wherry.cli.command import Arity, Command
from wherry.cli.session import Session
from wherry.client import containers

KINDS = {0: "C", 1: "A", 2: "D"}


def diff(session: Session, arguments: list[str]) -> None:
    """Inspect changes to files or directories on a container's file system."""
    for change in containers.changes(session.client, arguments[0]):
        session.print(f"{KINDS.get(change.number('Kind'), '?')} {change.text('Path')}")


command = Command(
    "diff",
    diff,
    "Inspect changes to files or directories on a container's filesystem",
    usage="CONTAINER",
    arity=Arity(1, 1),
)
