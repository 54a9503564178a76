"""`wherry system prune`."""

from wherry.cli import pruning
from wherry.cli.flags import switch
from wherry.cli.image import prune as image_prune
from wherry.cli.pruning import Flags, Words
from wherry.cli.session import Session


def _run(session: Session, flags: Flags) -> int:
    """Stopped containers first: what they alone used goes with them."""
    kinds = ["containers", "networks", *(["volumes"] if flags.volumes else [])]
    freed = sum(pruning.run(session, kind, flags.filters, dry=flags.dry_run) for kind in kinds)
    return freed + image_prune.run(session, flags)


def _warning(_session: Session, flags: Flags) -> str:
    kinds = ["all stopped containers", "all networks not used by at least one container"]
    if flags.volumes:
        kinds.append("all volumes not used by at least one container")
    more = "all images without at least one container associated to them"
    kinds.append(more if flags.every else "all dangling images")
    return "This will remove:\n" + "".join(f"  - {kind}\n" for kind in kinds)


command = pruning.command(
    Words(
        "Remove unused data",
        "'label=<key>=<value>'",
        "Remove all unused images not just dangling ones",
    ),
    _warning,
    _run,
    switch("volumes", "Prune volumes"),
)
