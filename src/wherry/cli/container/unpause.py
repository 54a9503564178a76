"""`wherry unpause`."""

from wherry.cli.command import Arity, Command
from wherry.cli.each import each_at_once
from wherry.cli.session import Session
from wherry.client import containers
from wherry.client.client import Client


def unpause(session: Session, arguments: list[str]) -> None:
    """Unpause all processes within one or more containers."""

    def one(client: Client, name: str) -> str:
        containers.unpause(client, name)
        return name

    each_at_once(session, arguments, one)


command = Command(
    "unpause",
    unpause,
    "Unpause all processes within one or more containers",
    usage="CONTAINER [CONTAINER...]",
    arity=Arity(1),
)
