"""`wherry system prune`."""

from wherry.cli import pruning
from wherry.cli.command import Arity, Command
from wherry.cli.container import prune as container
from wherry.cli.filters import filter_flag, gathered
from wherry.cli.flags import switch
from wherry.cli.image import prune as image_prune
from wherry.cli.network import prune as network_prune
from wherry.cli.session import Session
from wherry.cli.volume import prune as volume_prune


def prune(
    session: Session,
    arguments: list[str],
    *,
    every: bool,
    dry_run: bool,
    filter: list[tuple[str, str]],
    force: bool,
    volumes: bool,
) -> None:
    """Remove stopped containers, unused networks and images, and volumes where asked."""
    del arguments
    filters = gathered(filter)
    if not dry_run and not pruning.agreed(session, _warning(every, volumes), force=force):
        return
    freed = container.run(session, filters, dry=dry_run)
    freed += network_prune.run(session, filters, dry=dry_run)
    if volumes:
        freed += volume_prune.run(session, filters, dry=dry_run)
    freed += image_prune.run(session, filters, every=every, dry=dry_run)
    pruning.total(session, freed, dry=dry_run)


def _warning(every: bool, volumes: bool) -> str:
    kinds = ["all stopped containers", "all networks not used by at least one container"]
    if volumes:
        kinds.append("all volumes not used by at least one container")
    more = "all images without at least one container associated to them"
    kinds.append(more if every else "all dangling images")
    return "This will remove:\n" + "".join(f"  - {kind}\n" for kind in kinds)


command = Command(
    "prune",
    prune,
    "Remove unused data",
    arity=Arity(0, 0),
    flags=(
        switch("all a", "Remove all unused images not just dangling ones", dest="every"),
        pruning.DRY_RUN,
        filter_flag("Provide filter values (e.g. 'label=<key>=<value>')"),
        pruning.FORCE,
        switch("volumes", "Prune volumes"),
    ),
)
