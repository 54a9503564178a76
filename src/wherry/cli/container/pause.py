"""`wherry pause`."""

from wherry.cli.command import Arity, Command
from wherry.cli.each import each_at_once
from wherry.cli.session import Session
from wherry.client import containers
from wherry.client.client import Client


def pause(session: Session, arguments: list[str]) -> None:
    """Pause all processes within one or more containers."""

    def one(client: Client, name: str) -> str:
        containers.pause(client, name)
        return name

    each_at_once(session, arguments, one)


command = Command(
    "pause",
    pause,
    "Pause all processes within one or more containers",
    usage="CONTAINER [CONTAINER...]",
    arity=Arity(1),
)
