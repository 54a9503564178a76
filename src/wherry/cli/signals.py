"""Passing our signals on to a container."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

_OURS = frozenset(
    (
        signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGURG,
        signal.SIGWINCH, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL,
        signal.SIGTRAP, signal.SIGABRT, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCONT,
        signal.SIGPROF, signal.SIGALRM, signal.SIGVTALRM, signal.SIGSYS, signal.SIGXCPU,
        signal.SIGXFSZ, signal.SIGIO,
    )
)  # fmt: skip
"""Signals that mean something to this process itself, or cannot be caught."""


@contextlib.contextmanager
def forwarded(send: Callable[[str], None]) -> Iterator[None]:
    """Call `send` with the name of every signal that arrives while the block runs."""

    def pass_on(received: int, frame: FrameType | None) -> None:
        del frame
        send(signal.Signals(received).name.removeprefix("SIG"))

    caught = [number for number in signal.Signals if number not in _OURS]
    before = {number: signal.signal(number, pass_on) for number in caught}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
