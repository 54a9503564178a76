"""`wherry rm`."""

from wherry.cli.command import Arity, Command, Failed
from wherry.cli.each import each_at_once
from wherry.cli.flags import switch
from wherry.cli.session import Session
from wherry.client import containers
from wherry.client.client import Client
from wherry.kit.errors import NotFound


def remove(
    session: Session, arguments: list[str], *, force: bool, link: bool, volumes: bool
) -> None:
    """Remove one or more containers; one that is gone already is no error for `--force`."""

    def one(client: Client, name: str) -> str:
        bare = name.strip("/")
        if not bare:
            raise Failed("Container name cannot be empty")
        try:
            containers.remove(client, bare, force=force, volumes=volumes, link=link)
        except NotFound as error:
            if not force:
                raise
            session.complain(str(error))
        return name

    each_at_once(session, arguments, one)


command = Command(
    "rm",
    remove,
    "Remove one or more containers",
    usage="CONTAINER [CONTAINER...]",
    arity=Arity(1),
    flags=(
        switch("force f", "Force the removal of a running container (uses SIGKILL)"),
        switch("link l", "Remove the specified link"),
        switch("volumes v", "Remove anonymous volumes associated with the container"),
    ),
)
