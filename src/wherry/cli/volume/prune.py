"""`wherry volume prune`."""

from wherry.cli import pruning
from wherry.cli.command import Arity, Command
from wherry.cli.filters import Filters, filter_flag, gathered
from wherry.cli.flags import switch
from wherry.cli.session import Session
from wherry.client import maintenance, volumes

ANONYMOUS = "This will remove anonymous local volumes not used by at least one container."
ALL = "This will remove all local volumes not used by at least one container."


def prune(
    session: Session,
    arguments: list[str],
    *,
    every: bool,
    dry_run: bool,
    filter: list[tuple[str, str]],
    force: bool,
) -> None:
    """Remove unused volumes."""
    del arguments
    filters = gathered(filter)
    if every:
        filters["all"] = ["1"]
    warning = ALL if every or session.client.version < "1.42" else ANONYMOUS
    if dry_run or pruning.agreed(session, warning, force=force):
        pruning.total(session, run(session, filters, dry=dry_run), dry=dry_run)


def run(session: Session, filters: Filters, *, dry: bool) -> int:
    """Without questions; the bytes that were freed, or would be."""
    if dry:
        answer = maintenance.would_prune(session.client, "volumes", filters)
    else:
        answer = volumes.prune(session.client, filters)
    names = answer.texts("VolumesDeleted")
    return pruning.tell(session, "Deleted Volumes", names, answer, dry=dry)


command = Command(
    "prune",
    prune,
    "Remove unused local volumes",
    arity=Arity(0, 0),
    flags=(
        switch("all a", "Remove all unused volumes, not just anonymous ones", dest="every"),
        pruning.DRY_RUN,
        filter_flag("Provide filter values (e.g. 'label=<label>')"),
        pruning.FORCE,
    ),
)
