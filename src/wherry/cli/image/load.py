"""`wherry load`."""

from wherry.cli import archives, progress
from wherry.cli.command import Arity, Command, Failed
from wherry.cli.flags import switch, text
from wherry.cli.session import Session, is_terminal
from wherry.client import images


def load(session: Session, arguments: list[str], *, input: str, quiet: bool) -> None:
    """Load images from a tar archive or standard input."""
    del arguments
    archives.check_readable(input)
    if not input and is_terminal(0):
        raise Failed("requested load from stdin, but stdin is empty")
    silent = quiet or not is_terminal(1)
    progress.display(images.load(session.client, archives.blocks(input), quiet=silent))


command = Command(
    "load",
    load,
    "Load an image from a tar archive or STDIN",
    arity=Arity(0, 0),
    flags=(
        text("input i", "Read from tar archive file, instead of STDIN"),
        switch("quiet q", "Suppress the load output"),
    ),
)
