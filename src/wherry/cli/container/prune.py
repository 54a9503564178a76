"""`wherry container prune`."""

from wherry.cli import pruning
from wherry.cli.pruning import Flags, Words
from wherry.cli.session import Session


def _warning(_session: Session, _flags: Flags) -> str:
    return "This will remove all stopped containers."


def _run(session: Session, flags: Flags) -> int:
    return pruning.run(session, "containers", flags.filters, dry=flags.dry_run)


command = pruning.command(
    Words("Remove all stopped containers", "'until=<timestamp>'"), _warning, _run
)
