"""`wherry volume prune`."""

from wherry.cli import pruning
from wherry.cli.pruning import Flags, Words
from wherry.cli.session import Session
from wherry.client.client import parse_version

_ANONYMOUS_ONLY = (1, 42)
"""The API version from which on a prune without `all` leaves named volumes."""


def _warning(session: Session, flags: Flags) -> str:
    kind = (
        "all"
        if flags.every or parse_version(session.client.version) < _ANONYMOUS_ONLY
        else "anonymous"
    )
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
