"""`wherry network rm`."""

from wherry.cli.command import Arity, Command
from wherry.cli.each import each
from wherry.cli.flags import switch
from wherry.cli.session import Session
from wherry.client import networks
from wherry.client.client import Client
from wherry.kit.errors import NotFound


def remove(session: Session, arguments: list[str], *, force: bool) -> None:
    """Remove one or more networks; `force` does not mind those that are not there."""

    def act(client: Client, name: str) -> str:
        try:
            networks.remove(client, name)
        except NotFound:
            if not force:
                raise
        return name

    each(session, arguments, act)


command = Command(
    "rm",
    remove,
    "Remove one or more networks",
    usage="NETWORK [NETWORK...]",
    arity=Arity(1),
    flags=(switch("force f", "Do not error if the network does not exist"),),
)
