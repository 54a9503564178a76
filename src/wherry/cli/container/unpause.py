"""`wherry unpause`."""

from wherry.cli.command import Arity, Command
from wherry.cli.each import each
from wherry.cli.session import Session
from wherry.client import containers


def unpause(session: Session, arguments: list[str]) -> None:
    """Unpause all processes within one or more containers."""

    def one(name: str) -> str:
        containers.unpause(session.client, name)
        return name

    each(session, arguments, one)


command = Command(
    "unpause",
    unpause,
    "Unpause all processes within one or more containers",
    usage="CONTAINER [CONTAINER...]",
    arity=Arity(1),
)
