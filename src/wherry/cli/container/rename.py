"""`wherry rename`."""

from wherry.cli.command import Arity, Command, Failed
from wherry.cli.session import Session
from wherry.client import containers


def rename(session: Session, arguments: list[str]) -> None:
    """Rename a container."""
    old, new = (name.strip() for name in arguments)
    if not old or not new:
        raise Failed("Error: Neither old nor new names may be empty")
    containers.rename(session.client, old, new)


command = Command(
    "rename", rename, "Rename a container", usage="CONTAINER NEW_NAME", arity=Arity(2, 2)
)
