"""`wherry kill`."""

from wherry.cli.command import Arity, Command
from wherry.cli.each import each_at_once
from wherry.cli.flags import text
from wherry.cli.session import Session
from wherry.client import containers
from wherry.client.client import Client


def kill(session: Session, arguments: list[str], *, signal: str) -> None:
    """Kill one or more running containers."""

    def one(client: Client, name: str) -> str:
        containers.kill(client, name, signal)
        return name

    each_at_once(session, arguments, one)


command = Command(
    "kill",
    kill,
    "Kill one or more running containers",
    usage="CONTAINER [CONTAINER...]",
    arity=Arity(1),
    flags=(text("signal s", "Signal to send to the container", default="KILL"),),
)
