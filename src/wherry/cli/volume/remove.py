"""`wherry volume rm`."""

from wherry.cli.command import Arity, Command
from wherry.cli.each import each
from wherry.cli.flags import switch
from wherry.cli.session import Session
from wherry.client import volumes
from wherry.client.client import Client


def remove(session: Session, arguments: list[str], *, force: bool) -> None:
    """Remove one or more volumes."""

    def act(client: Client, name: str) -> str:
        volumes.remove(client, name, force=force)
        return name

    each(session, arguments, act)


command = Command(
    "rm",
    remove,
    "Remove one or more volumes",
    usage="VOLUME [VOLUME...]",
    arity=Arity(1),
    flags=(switch("force f", "Force the removal of one or more volumes"),),
)
