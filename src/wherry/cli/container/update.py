"""`wherry update`: the limits of containers. The freshness of images comes in a later release."""

from wherry.cli.command import Arity, Command, Failed
from wherry.cli.container.options import LIMITS
from wherry.cli.container.request import limits, restart_policy
from wherry.cli.container.settings import Settings
from wherry.cli.each import each
from wherry.cli.flags import text
from wherry.cli.session import Session
from wherry.client import containers
from wherry.client.client import Client
from wherry.client.document import Json


def update(session: Session, arguments: list[str], **values: object) -> None:
    """Update the limits and the restart policy of one or more containers."""
    settings = Settings(values)
    if not any(value for value in values.values()):
        raise Failed(
            "you must provide one or more flags when using this command "
            "(updating containers to newer images comes in a later release)"
        )
    policy = settings.text("restart")
    body: dict[str, Json] = {
        **{name: value for name, value in limits(settings).items() if value},
        "RestartPolicy": restart_policy(policy) if policy else None,
    }

    def one(client: Client, name: str) -> str:
        for warning in containers.update(client, name, body):
            session.complain(warning)
        return name

    each(session, arguments, one)


command = Command(
    "update",
    update,
    "Update configuration of one or more containers",
    usage="CONTAINER [CONTAINER...]",
    arity=Arity(1),
    flags=(*LIMITS, text("restart", "Restart policy to apply when a container exits")),
)
