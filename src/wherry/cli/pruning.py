"""Every `prune` command: ask, or say what would go, then tell what went and what it freed."""

import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

from wherry.cli.command import Arity, Command
from wherry.cli.filters import Filters, filter_flag, gathered
from wherry.cli.flags import Flag, switch
from wherry.cli.session import Session
from wherry.client import pruning
from wherry.client.document import Document
from wherry.kit.units import human_size


class Flags(NamedTuple):
    """What was asked for on the command line."""

    filters: Filters
    every: bool = False
    dry_run: bool = False
    force: bool = False
    volumes: bool = False


class Words(NamedTuple):
    """What a command says of itself: its help, an example of a filter, what --all means."""

    help: str
    example: str
    every: str = ""
    """Empty for a command without --all."""


Warn = Callable[[Session, Flags], str]
"""What a person is told before the question."""
Run = Callable[[Session, Flags], int | None]
"""Does it; the bytes that were freed or would be, None where there is no such number."""


def run(session: Session, kind: str, filters: Filters, *, dry: bool) -> int:
    """Without questions, `containers`, `images`, …: tell their names; the bytes that this frees."""
    ask = pruning.would_prune if dry else pruning.prune
    answer = ask(session.client, kind, filters)
    title = kind.capitalize()
    gone = list(_gone(answer, f"{title}Deleted"))
    if gone:
        verb = "Would be deleted" if dry else f"Deleted {title}"
        session.write(f"{verb}:\n" + "".join(f"{name}\n" for name in gone) + "\n")
    return answer.number("SpaceReclaimed")


def _gone(answer: Document, field: str) -> Iterator[str]:
    """Names; of an image, what happened to its names and its layers."""
    yield from answer.texts(field)
    for item in answer.children(field):
        for verb in ("Untagged", "Deleted"):
            if item.text(verb):
                yield f"{verb.lower()}: {item.text(verb)}"


def command(words: Words, warn: Warn, run: Run, *more: Flag) -> Command:
    """The command with its flags; `more` are its own."""

    def prune(
        session: Session,
        arguments: list[str],
        *,
        filter: list[tuple[str, str]],
        **switches: bool,
    ) -> None:
        del arguments
        flags = Flags(gathered(filter), **switches)
        if flags.dry_run or flags.force or _agreed(session, warn(session, flags)):
            _total(session, run(session, flags), dry=flags.dry_run)

    every = [switch("all a", words.every, dest="every")] if words.every else []
    common = (
        switch("dry-run", "Only say what would be removed"),
        filter_flag(f"Provide filter values (e.g. {words.example})"),
        switch("force f", "Do not prompt for confirmation"),
    )
    return Command("prune", prune, words.help, arity=Arity(0, 0), flags=(*every, *common, *more))


def _agreed(session: Session, warning: str) -> bool:
    """Whether the person at the keyboard wants it."""
    session.write(f"WARNING! {warning}\nAre you sure you want to continue? [y/N] ")
    return sys.stdin.readline().strip().lower() == "y"


def _total(session: Session, freed: int | None, *, dry: bool) -> None:
    words = "Total reclaimable space" if dry else "Total reclaimed space"
    if freed is not None:
        session.print(f"{words}: {human_size(freed, 4)}")
