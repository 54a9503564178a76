"""`wherry tag`."""

from wherry.cli.command import Arity, Command
from wherry.cli.image.naming import repository_and_tag
from wherry.cli.session import Session
from wherry.client import images


def tag(session: Session, arguments: list[str]) -> None:
    """Create another name for an image."""
    repository, name = repository_and_tag(arguments[1])
    images.tag(session.client, arguments[0], repository, name)


command = Command(
    "tag",
    tag,
    "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    usage="SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    arity=Arity(2, 2),
)
