"""`wherry context export` and `import`."""

import os

from wherry.cli.archives import blocks, refuse_terminal
from wherry.cli.command import Arity, Command, Failed
from wherry.cli.session import Session
from wherry.client import context_archive, contexts
from wherry.client.contexts import Store


def export(session: Session, arguments: list[str]) -> None:
    """Export a context, with its keys, to a file that only we can read."""
    name = arguments[0]
    path = arguments[1] if len(arguments) > 1 else f"{name}.dockercontext"
    data = context_archive.write(Store(session.config_folder).read(name))
    if path == "-":
        refuse_terminal("export")
        session.write_bytes(data)
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        raise Failed(f"open {path}: {(error.strerror or '').lower()}") from error
    session.complain(f'Written file "{path}"')


def import_(session: Session, arguments: list[str]) -> None:
    """Import a context from a file or from standard input."""
    name, path = arguments
    contexts.check_name(name)
    data = b"".join(blocks(path))
    Store(session.config_folder).add(context_archive.read(data, name))
    session.print(name)
    session.complain(f'Successfully imported context "{name}"')


export_command = Command(
    "export",
    export,
    "Export a context to a tar archive FILE or a tar stream on STDOUT",
    usage="CONTEXT [FILE|-]",
    arity=Arity(1, 2),
)
import_command = Command(
    "import",
    import_,
    "Import a context from a tar or zip file",
    usage="CONTEXT FILE|-",
    arity=Arity(2, 2),
)
