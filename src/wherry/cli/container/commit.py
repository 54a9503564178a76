"""`wherry commit`."""

from wherry.cli.command import Arity, Command
from wherry.cli.flags import listing, switch, text
from wherry.cli.image.naming import repository_and_tag
from wherry.cli.session import Session
from wherry.client import images


def commit(
    session: Session,
    arguments: list[str],
    *,
    author: str,
    change: list[str],
    message: str,
    pause: bool,
) -> None:
    """Create a new image from a container's changes and print its id."""
    repository, tag = repository_and_tag(arguments[1]) if len(arguments) > 1 else ("", "")
    query: dict[str, str | list[str]] = {
        "container": arguments[0],
        "repo": repository,
        "tag": tag,
        "comment": message,
        "author": author,
        "changes": change,
    }
    if not pause:
        query["pause"] = "0"
    session.print(images.commit(session.client, query))


command = Command(
    "commit",
    commit,
    "Create a new image from a container's changes",
    usage="CONTAINER [REPOSITORY[:TAG]]",
    arity=Arity(1, 2),
    flags=(
        text("author a", 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")'),
        listing("change c", "Apply Dockerfile instruction to the created image"),
        text("message m", "Commit message"),
        switch("pause p", "Pause container during commit", default=True),
    ),
)
