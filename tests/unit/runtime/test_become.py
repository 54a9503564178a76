"""What a child does before anything else."""

import gc
import os
import signal
import sys

from wherry.runtime.become import settle_child


def outcome() -> str:
    """In a child that has settled."""
    signal.signal(signal.SIGUSR1, lambda number, frame: None)
    settle_child()
    try:
        import this  # noqa: F401 (stands for any module that was not imported yet)
    except ModuleNotFoundError:
        pass
    else:
        return "imports"
    sys.modules.pop("_stat", None)
    import _stat  # built in: harmless  # noqa: F401

    if _handled():
        return "signals"
    return "collects" if gc.isenabled() else ""


def _handled() -> int:
    """What the kernel says is caught or ignored; Python's own table is not asked."""
    with open("/proc/self/status", encoding="ascii") as file:
        lines = dict(line.split(":", 1) for line in file)
    libc_own = 0b11 << 31  # 32 and 33, in a process that had threads
    return (int(lines["SigCgt"], 16) | int(lines["SigIgn"], 16)) & ~libc_own


def test_a_child_imports_nothing_more_and_is_clean() -> None:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        text = "raised"
        try:
            text = outcome()
        finally:
            os.write(write, text.encode())
            os._exit(0)
    os.close(write)
    with open(read, encoding="utf-8") as file:
        assert file.read() == ""
    os.waitpid(pid, 0)
    assert gc.isenabled()
