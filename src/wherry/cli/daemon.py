"""`wherry daemon`: hands its arguments, unread, to the engine's own program."""

from importlib import import_module

from wherry.cli.command import Command, Failed
from wherry.cli.session import Session


def daemon(session: Session, arguments: list[str]) -> None:
    """Run the engine in the foreground; its exit code is ours."""
    del session
    code = import_module("wherry.daemon.main").run(arguments)
    if code:
        raise Failed("", int(code))


command = Command("daemon", daemon, "Run the engine in the foreground", raw=True)
