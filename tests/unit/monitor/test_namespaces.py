"""The namespaces of a process that may be gone."""

import os

import pytest

from wherry.monitor.namespaces import open_held


def test_those_of_a_living_one() -> None:
    held = open_held(os.getpid())
    for descriptor in held.values():
        os.close(descriptor)
    assert {"mnt", "net", "pid"} <= set(held)


def test_one_that_has_ended() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # ended, and not reaped yet
    with pytest.raises(ProcessLookupError):
        open_held(pid)
    os.waitpid(pid, 0)
    with pytest.raises(ProcessLookupError):
        open_held(pid)
