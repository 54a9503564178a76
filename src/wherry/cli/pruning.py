"""What every `prune` command does: ask, or say what would go, then tell what went."""

import sys
from collections.abc import Iterable

from wherry.cli.flags import Flag, switch
from wherry.cli.session import Session
from wherry.client.document import Document
from wherry.kit.units import human_size

DRY_RUN: Flag = switch("dry-run", "Only say what would be removed")
FORCE: Flag = switch("force f", "Do not prompt for confirmation")


def agreed(session: Session, warning: str, *, force: bool) -> bool:
    """Whether the person at the keyboard wants it."""
    if force:
        return True
    session.write(f"WARNING! {warning}\nAre you sure you want to continue? [y/N] ")
    return sys.stdin.readline().strip().lower() == "y"


def tell(session: Session, title: str, names: Iterable[str], answer: Document, *, dry: bool) -> int:
    """The names that went, or would; the bytes that this frees."""
    gone = list(names)
    if gone:
        verb = "Would be deleted" if dry else title
        session.write(f"{verb}:\n" + "".join(f"{name}\n" for name in gone) + "\n")
    return answer.number("SpaceReclaimed")


def total(session: Session, freed: int, *, dry: bool) -> None:
    """The last line."""
    words = "Total reclaimable space" if dry else "Total reclaimed space"
    session.print(f"{words}: {human_size(freed, 4)}")
