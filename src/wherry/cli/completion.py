"""Shell completion: click's own scripts, and the names that the engine knows."""

from collections.abc import Callable, Iterator, Mapping

import click
from click.shell_completion import CompletionItem, get_completion_class

from wherry.cli.command import Arity, Command, Failed
from wherry.cli.session import Session
from wherry.client import containers, images
from wherry.client.client import get, get_list
from wherry.client.contexts import Store
from wherry.kit.errors import WherryError

VARIABLE = "_WHERRY_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


def completion(session: Session, arguments: list[str]) -> None:
    """Print the script: `source <(wherry completion bash)`."""
    shell = arguments[0]
    found = get_completion_class(shell) if shell in SHELLS else None
    if found is None:
        raise Failed(f"no completion for {shell!r}: want one of {', '.join(SHELLS)}")
    from wherry.cli.main import program

    session.write(found(program(), {}, "wherry", VARIABLE).source() + "\n")


Look = Callable[[Session], Iterator[str]]


def names(ctx: click.Context, usage: str, incomplete: str, *, first: bool) -> list[CompletionItem]:
    """What may stand here by the command's usage; nothing where the engine does not answer."""
    from wherry.cli.main import session_of

    kind = usage.partition(" ")[0].partition("[")[0]
    if kind not in _LOOKS or not (first or ("..." in usage and "COMMAND" not in usage)):
        return []
    try:
        found = list(_LOOKS[kind](session_of(ctx.find_root().params)))
    except WherryError:
        return []
    return [CompletionItem(name) for name in found if name.startswith(incomplete)]


def _containers(session: Session) -> Iterator[str]:
    for item in containers.listing(session.client, stopped=True):
        yield from (name.lstrip("/") for name in item.texts("Names"))


def _images(session: Session) -> Iterator[str]:
    for item in images.listing(session.client):
        yield from (tag for tag in item.texts("RepoTags") if tag != "<none>:<none>")


def _networks(session: Session) -> Iterator[str]:
    yield from (item.text("Name") for item in get_list(session.client, "/networks"))


def _volumes(session: Session) -> Iterator[str]:
    yield from (item.text("Name") for item in get(session.client, "/volumes").children("Volumes"))


def _contexts(session: Session) -> Iterator[str]:
    yield from ("default", *Store(session.config_folder).names())


_LOOKS: Mapping[str, Look] = {
    "CONTAINER": _containers,
    "IMAGE": _images,
    "SOURCE_IMAGE": _images,
    "NETWORK": _networks,
    "VOLUME": _volumes,
    "CONTEXT": _contexts,
}

command = Command(
    "completion",
    completion,
    "Print the completion script of a shell",
    usage="bash|zsh|fish",
    arity=Arity(1, 1),
)
