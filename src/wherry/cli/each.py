"""The same action on many things: each is tried, the errors come together at the end."""

from collections.abc import Callable, Sequence

from wherry.cli.command import Failed
from wherry.cli.session import Session, describe
from wherry.kit.errors import WherryError


def each(session: Session, names: Sequence[str], act: Callable[[str], str]) -> None:
    """Print what `act` returns for every name. Raises Failed if any of them failed."""
    problems = []
    for name in names:
        try:
            said = act(name)
        except WherryError as error:
            problems.append(describe(error))
        else:
            session.print(said)
    if problems:
        raise Failed("\n".join(problems))
