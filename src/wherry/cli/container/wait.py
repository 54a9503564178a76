"""`wherry wait`."""

from wherry.cli.command import Arity, Command, Failed
from wherry.cli.each import each
from wherry.cli.session import Session
from wherry.client import containers
from wherry.client.client import Client


def wait(session: Session, arguments: list[str]) -> None:
    """Block until one or more containers stop, then print their exit codes."""

    def one(client: Client, name: str) -> str:
        result = containers.wait(client, name).result()
        if result.error:
            raise Failed(result.error)
        return str(result.code)

    each(session, arguments, one)


command = Command(
    "wait",
    wait,
    "Block until one or more containers stop, then print their exit codes",
    usage="CONTAINER [CONTAINER...]",
    arity=Arity(1),
)
