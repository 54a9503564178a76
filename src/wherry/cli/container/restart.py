"""`wherry restart`."""

from wherry.cli.command import Arity, Command
from wherry.cli.each import each
from wherry.cli.flags import number
from wherry.cli.session import Session
from wherry.client import containers
from wherry.client.client import Client


def restart(session: Session, arguments: list[str], *, time: int | None) -> None:
    """Restart one or more containers."""

    def one(client: Client, name: str) -> str:
        containers.restart(client, name, time)
        return name

    each(session, arguments, one)


command = Command(
    "restart",
    restart,
    "Restart one or more containers",
    usage="CONTAINER [CONTAINER...]",
    arity=Arity(1),
    flags=(number("time t", "Seconds to wait before killing the container", default=None),),
)
