"""`wherry container prune`."""

from wherry.cli import pruning
from wherry.cli.command import Arity, Command
from wherry.cli.filters import Filters, filter_flag, gathered
from wherry.cli.session import Session
from wherry.client import containers, maintenance

WARNING = "This will remove all stopped containers."


def prune(
    session: Session,
    arguments: list[str],
    *,
    dry_run: bool,
    filter: list[tuple[str, str]],
    force: bool,
) -> None:
    """Remove all stopped containers."""
    del arguments
    if dry_run or pruning.agreed(session, WARNING, force=force):
        freed = run(session, gathered(filter), dry=dry_run)
        pruning.total(session, freed, dry=dry_run)


def run(session: Session, filters: Filters, *, dry: bool) -> int:
    """Without questions; the bytes that were freed, or would be."""
    if dry:
        answer = maintenance.would_prune(session.client, "containers", filters)
    else:
        answer = containers.prune(session.client, filters)
    names = answer.texts("ContainersDeleted")
    return pruning.tell(session, "Deleted Containers", names, answer, dry=dry)


command = Command(
    "prune",
    prune,
    "Remove all stopped containers",
    arity=Arity(0, 0),
    flags=(
        pruning.DRY_RUN,
        filter_flag("Provide filter values (e.g. 'until=<timestamp>')"),
        pruning.FORCE,
    ),
)
