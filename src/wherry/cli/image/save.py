"""`wherry save`."""

from wherry.cli import archives
from wherry.cli.command import Arity, Command
from wherry.cli.flags import text
from wherry.cli.session import Session
from wherry.client import images


def save(session: Session, arguments: list[str], *, output: str) -> None:
    """Save one or more images to a tar archive."""
    if not output:
        archives.refuse_terminal("save")
    archives.write_out(images.save(session.client, arguments), output)


command = Command(
    "save",
    save,
    "Save one or more images to a tar archive (streamed to STDOUT by default)",
    usage="IMAGE [IMAGE...]",
    arity=Arity(1),
    flags=(text("output o", "Write to a file, instead of STDOUT"),),
)
