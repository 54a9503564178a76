"""Named places where a test may stop the process, fail or delay it.

`WHERRY_FAILPOINTS="create.after-ledger=kill;pull.commit=error"` arms them; without the variable a
call costs one dictionary look-up. Actions: `kill` (SIGKILL to ourselves), `error` (OSError ENOSPC),
`sleep:SECONDS`.
"""

import errno
import os
import signal
import time


def _read(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(";") if "=" in part)


_armed = _read(os.environ.get("WHERRY_FAILPOINTS", ""))


def reach(name: str) -> None:
    """Say that execution is at the named place."""
    action = _armed.get(name)
    if action is None:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "error":
        raise OSError(errno.ENOSPC, f"failpoint {name}")
    if action.startswith("sleep:"):
        time.sleep(float(action[6:]))
