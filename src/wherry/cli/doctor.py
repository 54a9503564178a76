"""`wherry doctor`: what this machine can do, what not, and the fix."""

from importlib import import_module

from wherry.cli.command import Command, Failed
from wherry.cli.session import Session


def doctor(session: Session, arguments: list[str]) -> None:
    """Tell what this kernel, user and file system can do; the exit code sums it up."""
    del session
    code = import_module("wherry.daemon.doctor").run(arguments)
    if code:
        raise Failed("", int(code))


command = Command("doctor", doctor, "Tell what this machine can do, and the fix", raw=True)
