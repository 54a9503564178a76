"""`wherry network prune`."""

from wherry.cli import pruning
from wherry.cli.pruning import Flags, Words
from wherry.cli.session import Session


def _warning(_session: Session, _flags: Flags) -> str:
    return "This will remove all custom networks not used by at least one container."


def _run(session: Session, flags: Flags) -> None:
    """Networks take no space."""
    pruning.run(session, "networks", flags.filters, dry=flags.dry_run)


command = pruning.command(
    Words("Remove all unused networks", '"until=<timestamp>"'), _warning, _run
)
