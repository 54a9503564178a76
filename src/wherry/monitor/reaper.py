"""Collects ended children: our own, and the orphans that a subreaper is given."""

import contextlib
import os
import signal
import time
from collections.abc import Callable

Ended = Callable[[int], None]
"""Called with the wait status."""


class Reaper:
    """Whoever started a process says so before the loop turns again, so none is missed."""

    __slots__ = ("_expected",)

    def __init__(self) -> None:
        self._expected: dict[int, Ended] = {}

    def expect(self, pid: int, ended: Ended) -> None:
        """Call when this child has ended."""
        self._expected[pid] = ended

    def collect(self) -> None:
        """Reap all that have ended (to be run on SIGCHLD)."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            ended = self._expected.pop(pid, None)
            if ended is not None:
                ended(status)

    def kill_all_but(self, spared: set[int]) -> None:
        """End all our other children, and theirs, which become ours when those end.

        /proc/…/children needs CONFIG_PROC_CHILDREN, which distributions have; without it none is
        found. At most a second: what cannot be killed is in the kernel's hands.
        """
        for _ in range(200):
            children = _children() - spared
            if not children:
                return
            for pid in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)
            self.collect()


def _children() -> set[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return {int(pid) for pid in file.read().split()}
    except FileNotFoundError:
        return set()


def exit_code(status: int) -> tuple[int, int]:
    """A wait status → (code, signal); a signal's code is 128 + its number, as shells have it."""
    if os.WIFSIGNALED(status):
        return 128 + os.WTERMSIG(status), os.WTERMSIG(status)
    return os.WEXITSTATUS(status), 0
