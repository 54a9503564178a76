"""`wherry volume create`."""

from wherry.cli.command import Arity, Command, Failed
from wherry.cli.container import checks
from wherry.cli.flags import listing, text
from wherry.cli.session import Session
from wherry.client import volumes
from wherry.client.document import Json


def create(
    session: Session,
    arguments: list[str],
    *,
    driver: str,
    label: list[str],
    name: str,
    opt: list[str],
) -> None:
    """Make a volume and print its name."""
    if name and arguments:
        raise Failed(
            "conflicting options: either specify --name or provide positional arg, not both"
        )
    made = volumes.create(
        session.client,
        {
            "Driver": driver,
            "DriverOpts": pairs(opt),
            "Labels": pairs(label),
            "Name": arguments[0] if arguments else name,
        },
    )
    session.print(made)


def pairs(texts: list[str]) -> dict[str, Json]:
    """`a=b` texts as a mapping; without `=` the value is empty."""
    split = (text.partition("=") for text in texts)
    return {key: value for key, _, value in split}


command = Command(
    "create",
    create,
    "Create a volume",
    usage="[VOLUME]",
    arity=Arity(0, 1),
    flags=(
        text("driver d", "Specify volume driver name", default="local"),
        listing("label", "Set metadata for a volume", read=checks.label),
        text("name", "Specify volume name"),
        listing("opt o", "Set driver specific options"),
    ),
)
