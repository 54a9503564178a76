"""Socket activation: listening sockets that systemd opened for us (sd_listen_fds(3))."""

import os
import socket
from collections.abc import Sequence
from typing import NamedTuple

from wherry.kit.errors import InvalidInput

FIRST = 3


class Passed(NamedTuple):
    """One socket that was passed in: its descriptor's number, its name in the unit, itself."""

    number: int
    name: str
    sock: socket.socket


def inherited_sockets() -> list[Passed]:
    """The sockets, ours from now on; none where the variables speak of another process.

    The variables are taken away, so a second call gives none. Raises InvalidInput for a
    descriptor that is no socket.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(os.environ.pop("LISTEN_FDS", "0"))
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    os.environ.pop("LISTEN_PID", None)
    names += [""] * (count - len(names))
    return [_take(FIRST + at, names[at]) for at in range(count)]


def _take(number: int, name: str) -> Passed:
    os.set_inheritable(number, False)
    try:
        return Passed(number, name, socket.socket(fileno=number))
    except OSError as error:
        raise InvalidInput(f"the passed descriptor {number} ({name}) is no socket") from error


def chosen(passed: Sequence[Passed], which: str) -> list[Passed]:
    """Those of `fd://WHICH`: all for nothing or `*`, else by number or by name."""
    if which in ("", "*"):
        return list(passed)
    return [one for one in passed if which in (str(one.number), one.name)]
