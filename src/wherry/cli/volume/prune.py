"""`wherry volume prune`."""

from wherry.cli import pruning
from wherry.cli.pruning import Flags, Words
from wherry.cli.session import Session


def _warning(session: Session, flags: Flags) -> str:
    kind = "all" if flags.every or session.client.version < "1.42" else "anonymous"
    return f"This will remove {kind} local volumes not used by at least one container."


def _run(session: Session, flags: Flags) -> int:
    filters = {**flags.filters, "all": ["1"]} if flags.every else flags.filters
    return pruning.run(session, "volumes", filters, dry=flags.dry_run)


command = pruning.command(
    Words(
        "Remove unused local volumes",
        "'label=<label>'",
        "Remove all unused volumes, not just anonymous ones",
    ),
    _warning,
    _run,
)
