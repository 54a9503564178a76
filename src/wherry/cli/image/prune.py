"""`wherry image prune`."""

from wherry.cli import pruning
from wherry.cli.command import Arity, Command
from wherry.cli.filters import Filters, filter_flag, gathered
from wherry.cli.flags import switch
from wherry.cli.session import Session
from wherry.client import images, maintenance

DANGLING = "This will remove all dangling images."
ALL = "This will remove all images without at least one container associated to them."


def prune(
    session: Session,
    arguments: list[str],
    *,
    every: bool,
    dry_run: bool,
    filter: list[tuple[str, str]],
    force: bool,
) -> None:
    """Remove unused images."""
    del arguments
    filters = gathered(filter)
    if dry_run or pruning.agreed(session, ALL if every else DANGLING, force=force):
        freed = run(session, filters, every=every, dry=dry_run)
        pruning.total(session, freed, dry=dry_run)


def run(session: Session, filters: Filters, *, every: bool, dry: bool) -> int:
    """Without questions; the bytes that were freed, or would be."""
    wanted = {**filters, "dangling": ["false" if every else "true"]}
    if dry:
        answer = maintenance.would_prune(session.client, "images", wanted)
    else:
        answer = images.prune(session.client, wanted)
    lines = [
        f"{verb.lower()}: {item.text(verb)}"
        for item in answer.children("ImagesDeleted")
        for verb in ("Untagged", "Deleted")
        if item.text(verb)
    ]
    return pruning.tell(session, "Deleted Images", lines, answer, dry=dry)


command = Command(
    "prune",
    prune,
    "Remove unused images",
    arity=Arity(0, 0),
    flags=(
        switch("all a", "Remove all unused images, not just dangling ones", dest="every"),
        pruning.DRY_RUN,
        filter_flag("Provide filter values (e.g. 'until=<timestamp>')"),
        pruning.FORCE,
    ),
)
