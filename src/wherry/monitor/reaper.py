"""Collects ended children: our own, and the orphans that a subreaper is given."""

import os
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


def exit_code(status: int) -> tuple[int, int]:
    """A wait status → (code, signal); a signal's code is 128 + its number, as shells have it."""
    if os.WIFSIGNALED(status):
        return 128 + os.WTERMSIG(status), os.WTERMSIG(status)
    return os.WEXITSTATUS(status), 0
