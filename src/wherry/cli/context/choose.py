"""`wherry context use`, `show` and `rm`."""

import os

from wherry.cli.command import Arity, Command, Failed
from wherry.cli.flags import switch
from wherry.cli.session import Session, describe
from wherry.client import contexts
from wherry.client.contexts import Store
from wherry.kit.errors import NotFound, WherryError

_OVERRIDING = ("WHERRY_HOST", "DOCKER_HOST", "DOCKER_CONTEXT")


def use(session: Session, arguments: list[str]) -> None:
    """Set the current context, for Docker's command line as well."""
    name = arguments[0]
    Store(session.config_folder).use(name)
    session.print(name)
    session.complain(f'Current context is now "{name}"')
    for variable in _OVERRIDING:
        if os.environ.get(variable):
            session.complain(
                f"Warning: {variable} environment variable overrides the active context. "
                f'To use "{name}", either set the global --context flag, or unset {variable} '
                "environment variable."
            )


def show(session: Session, arguments: list[str]) -> None:
    """Print the name of the current context."""
    del arguments
    session.print(session.context)


def remove(session: Session, arguments: list[str], *, force: bool) -> None:
    """Remove one or more contexts."""
    store = Store(session.config_folder)
    problems = []
    for name in arguments:
        try:
            _remove(session, store, name, force=force)
            session.print(name)
        except WherryError as error:
            problems.append(describe(error))
    if problems:
        raise Failed("\n".join(problems))


def _remove(session: Session, store: Store, name: str, *, force: bool) -> None:
    if name == contexts.DEFAULT:
        raise Failed('context "default" cannot be removed')
    if session.config.current_context == name or session.context == name:
        if not force:
            raise Failed(f'context "{name}" is in use, set -f flag to force remove')
        store.use(contexts.DEFAULT)
    try:
        store.remove(name)
    except NotFound:
        if not force:
            raise


use_command = Command(
    "use", use, "Set the current docker context", usage="CONTEXT", arity=Arity(1, 1)
)
show_command = Command("show", show, "Print the name of the current context", arity=Arity(0, 0))
remove_command = Command(
    "rm",
    remove,
    "Remove one or more contexts",
    usage="CONTEXT [CONTEXT...]",
    arity=Arity(1),
    flags=(switch("force f", "Force the removal of a context in use"),),
)
