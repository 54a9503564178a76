"""Descriptors of a process that becomes a container's: which it keeps, and where they lie."""

import fcntl
import os

from wherry.kit.errors import InvalidInput
from wherry.linux.process import close_all_except
from wherry.runtime.spec_types import Process

_FIRST_FREE = 3


def check_preserved(count: int) -> None:
    """Raises InvalidInput where one of the descriptors 3.. to keep is not open."""
    for descriptor in range(_FIRST_FREE, _FIRST_FREE + count):
        try:
            fcntl.fcntl(descriptor, fcntl.F_GETFD)
        except OSError as error:
            raise InvalidInput(
                f"cannot preserve {count} descriptors: descriptor {descriptor} is not open"
            ) from error


def check_console(process: Process, console_socket: int | None) -> None:
    """Raises InvalidInput where a terminal and its socket do not come together."""
    if process.terminal and console_socket is None:
        raise InvalidInput("process.terminal: cannot allocate a tty without a console socket")
    if not process.terminal and console_socket is not None:
        raise InvalidInput("console socket given, but process.terminal is false")


def take(stdio: tuple[int, int, int] | None, preserved: int, keep: list[int]) -> None:
    """In a fresh child: put stdio at 0, 1, 2 and close all but these, 3.. and `keep`."""
    if stdio is not None and stdio != (0, 1, 2):
        # first away from 0, 1, 2, where one may be the other's target
        copies = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE) for one in stdio]
        for target, copy in enumerate(copies):
            os.dup2(copy, target)
    for descriptor in (0, 1, 2):
        _open_null_where_closed(descriptor)
    close_all_except([*range(_FIRST_FREE, _FIRST_FREE + preserved), *keep])


def _open_null_where_closed(descriptor: int) -> None:
    """A closed 0, 1 or 2 would be taken by the next file that we open."""
    try:
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
        fcntl.fcntl(descriptor, fcntl.F_SETFD, flags & ~fcntl.FD_CLOEXEC)
    except OSError:
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        if null != descriptor:
            os.dup2(null, descriptor)
            os.close(null)
        else:
            os.set_inheritable(descriptor, True)


def seal(preserved: int, keep: list[int]) -> None:
    """The last step before execve: nothing above stdio and what is preserved stays but `keep`."""
    first = _FIRST_FREE + preserved
    for descriptor in range(_FIRST_FREE, first):
        os.set_inheritable(descriptor, True)
    close_all_except([*range(_FIRST_FREE, first), *keep])
