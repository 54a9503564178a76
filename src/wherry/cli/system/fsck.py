"""`wherry system fsck`."""

from wherry.cli.command import Arity, Command, Failed
from wherry.cli.flags import switch
from wherry.cli.session import Session
from wherry.client import maintenance


def fsck(session: Session, arguments: list[str], *, repair: bool) -> None:
    """Print what does not fit together; exit code 1 where something is left that does not."""
    del arguments
    left = 0
    for item in maintenance.check(session.client, repair=repair):
        done = item.flag("Repaired")
        left += not done
        end = " (repaired)" if done else ""
        session.print(f"{item.text('Kind')} {item.text('Name')}: {item.text('Problem')}{end}")
    if left:
        raise Failed(f"{left} finding{'' if left == 1 else 's'}")


command = Command(
    "fsck",
    fsck,
    "Check that ledger, content, snapshots, folders and mounts agree",
    arity=Arity(0, 0),
    flags=(switch("repair", "Remove what is only garbage"),),
)
