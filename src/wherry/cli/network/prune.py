"""`wherry network prune`."""

from wherry.cli import pruning
from wherry.cli.command import Arity, Command
from wherry.cli.filters import Filters, filter_flag, gathered
from wherry.cli.session import Session
from wherry.client import maintenance, networks

WARNING = "This will remove all custom networks not used by at least one container."


def prune(
    session: Session,
    arguments: list[str],
    *,
    dry_run: bool,
    filter: list[tuple[str, str]],
    force: bool,
) -> None:
    """Remove all unused networks."""
    del arguments
    if dry_run or pruning.agreed(session, WARNING, force=force):
        run(session, gathered(filter), dry=dry_run)


def run(session: Session, filters: Filters, *, dry: bool) -> int:
    """Without questions; networks free no bytes."""
    if dry:
        answer = maintenance.would_prune(session.client, "networks", filters)
    else:
        answer = networks.prune(session.client, filters)
    names = answer.texts("NetworksDeleted")
    return pruning.tell(session, "Deleted Networks", names, answer, dry=dry)


command = Command(
    "prune",
    prune,
    "Remove all unused networks",
    arity=Arity(0, 0),
    flags=(
        pruning.DRY_RUN,
        filter_flag('Provide filter values (e.g. "until=<timestamp>")'),
        pruning.FORCE,
    ),
)
