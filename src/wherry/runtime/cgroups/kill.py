"""Signals to all processes of a container, also to those that fork meanwhile."""

import os
import signal
import time

from wherry.kit.errors import Unavailable, Unsupported
from wherry.runtime.cgroups.placement import Placement
from wherry.runtime.cgroups.v2 import PlacementV2

_PATIENCE = 10.0  # seconds


def signal_all(placed: Placement, number: int) -> None:
    """Send a signal to every process, held still meanwhile where there is a freezer.

    Frozen processes neither fork nor end, so no one is missed and no id is used again. Raises
    Unavailable when SIGKILL leaves some after 10 seconds.
    """
    if number == signal.SIGKILL:
        kill_all(placed)
        return
    frozen_before = placed.frozen()
    held = _hold(placed)
    try:
        _send(placed.pids(), number)
    finally:
        if held and not frozen_before:
            placed.thaw()


def kill_all(placed: Placement) -> None:
    """SIGKILL to every process until none is left. Raises Unavailable after 10 seconds."""
    if isinstance(placed, PlacementV2) and _kill_by_kernel(placed):
        _wait_empty(placed, kill=False)
        return
    _wait_empty(placed, kill=True)


def _kill_by_kernel(placed: PlacementV2) -> bool:
    """cgroup.kill (kernel 5.14); False where it is missing."""
    try:
        with placed.group.open() as directory:
            if not directory.has("cgroup.kill"):
                return False
            directory.write("cgroup.kill", "1")
    except FileNotFoundError:
        pass  # the group is gone, and so are its processes
    return True


def _wait_empty(placed: Placement, *, kill: bool) -> None:
    deadline = time.monotonic() + _PATIENCE
    pause = 0.001
    while pids := placed.pids():
        if time.monotonic() > deadline:
            raise Unavailable(f"processes {pids[:10]} do not end after SIGKILL")
        if kill:
            held = _hold(placed)
            try:
                _send(placed.pids(), signal.SIGKILL)
            finally:
                if held:
                    placed.thaw()
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def _hold(placed: Placement) -> bool:
    try:
        placed.freeze()
    except (Unsupported, Unavailable, FileNotFoundError):
        return False
    return True


def _send(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
