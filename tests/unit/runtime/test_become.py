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
        return f"signals {_handled():x}"
    return "collects" if gc.isenabled() else ""


def _handled() -> int:
    """What the kernel says is caught or ignored; Python's own table is not asked."""
    descriptor = os.open("/proc/self/status", os.O_RDONLY)  # open() would import a codec
    words = os.read(descriptor, 1 << 16).split()
    caught, ignored = (int(words[words.index(name) + 1], 16) for name in (b"SigCgt:", b"SigIgn:"))
    libc_own = 0b11 << 31  # 32 and 33, in a process that had threads
    return (caught | ignored) & ~libc_own


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
