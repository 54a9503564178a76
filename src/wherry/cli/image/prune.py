"""`wherry image prune`."""

from wherry.cli import pruning
from wherry.cli.pruning import Flags, Words
from wherry.cli.session import Session


def _warning(_session: Session, flags: Flags) -> str:
    if flags.every:
        return "This will remove all images without at least one container associated to them."
    return "This will remove all dangling images."


def run(session: Session, flags: Flags) -> int:
    """Without questions; the bytes that were freed, or would be."""
    filters = {**flags.filters, "dangling": ["false" if flags.every else "true"]}
    return pruning.run(session, "images", filters, dry=flags.dry_run)


command = pruning.command(
    Words(
        "Remove unused images",
        "'until=<timestamp>'",
        "Remove all unused images, not just dangling ones",
    ),
    _warning,
    run,
)
