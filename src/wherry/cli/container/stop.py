"""`wherry stop`."""

from wherry.cli.command import Arity, Command
from wherry.cli.each import each_at_once
from wherry.cli.flags import number
from wherry.cli.session import Session
from wherry.client import containers
from wherry.client.client import Client


def stop(session: Session, arguments: list[str], *, time: int | None) -> None:
    """Stop one or more running containers."""

    def one(client: Client, name: str) -> str:
        containers.stop(client, name, time)
        return name

    each_at_once(session, arguments, one)


command = Command(
    "stop",
    stop,
    "Stop one or more running containers",
    usage="CONTAINER [CONTAINER...]",
    arity=Arity(1),
    flags=(number("time t", "Seconds to wait before killing the container", default=None),),
)
