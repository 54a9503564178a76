"""`wherry system dial-stdio`: the far end of `ssh://`, for our clients and Docker's alike."""

import contextlib

from wherry.cli.command import Arity, Command
from wherry.cli.relay import Plan, Relay
from wherry.cli.session import Session
from wherry.client.connection import Hijacked
from wherry.client.transport import dial


def dial_stdio(session: Session, arguments: list[str]) -> None:
    """Join standard input and output with the engine's socket, each direction on its own."""
    del arguments
    stream = dial(session.endpoint)
    with contextlib.closing(stream):
        Relay(Hijacked(stream, b"", ""), Plan(stdin=True, tty=True)).run()


command = Command(
    "dial-stdio",
    dial_stdio,
    "Join standard input and output with the engine's socket",
    arity=Arity(0, 0),
)
