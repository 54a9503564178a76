"""`wherry network disconnect`."""

from wherry.cli.command import Arity, Command
from wherry.cli.flags import switch
from wherry.cli.session import Session
from wherry.client import networks


def disconnect(session: Session, arguments: list[str], *, force: bool) -> None:
    """Take a container out of a network."""
    networks.disconnect(session.client, arguments[0], arguments[1], force=force)


command = Command(
    "disconnect",
    disconnect,
    "Disconnect a container from a network",
    usage="NETWORK CONTAINER",
    arity=Arity(2, 2),
    flags=(switch("force f", "Force the container to disconnect from a network"),),
)
