"""`wherry export`."""

from wherry.cli import archives
from wherry.cli.command import Arity, Command
from wherry.cli.flags import text
from wherry.cli.session import Session
from wherry.client import containers


def export(session: Session, arguments: list[str], *, output: str) -> None:
    """Export a container's file system as a tar archive."""
    if not output:
        archives.refuse_terminal("save")
    archives.write_out(containers.export(session.client, arguments[0]), output)


command = Command(
    "export",
    export,
    "Export a container's filesystem as a tar archive",
    usage="CONTAINER",
    arity=Arity(1, 1),
    flags=(text("output o", "Write to a file, instead of STDOUT"),),
)
