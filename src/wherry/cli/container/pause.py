"""`wherry pause`."""

from wherry.cli.command import Arity, Command
from wherry.cli.each import each
from wherry.cli.session import Session
from wherry.client import containers


def pause(session: Session, arguments: list[str]) -> None:
    """Pause all processes within one or more containers."""

    def one(name: str) -> str:
        containers.pause(session.client, name)
        return name

    each(session, arguments, one)


command = Command(
    "pause",
    pause,
    "Pause all processes within one or more containers",
    usage="CONTAINER [CONTAINER...]",
    arity=Arity(1),
)
