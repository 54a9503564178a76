"""Ends a container whose monitor was killed, where the runtime cannot arrange that by itself.

Our own runtime gives init PR_SET_PDEATHSIG. A program such as runc does not; there this child of
the monitor waits for either to end. It costs what a forked process costs, about one MB.
"""

import os
import select
import signal
from collections.abc import Callable

from wherry.kit.errors import WherryError
from wherry.linux.process import close_all_except, pidfd_open, pidfd_send_signal, set_name


def start(init: int, delete: Callable[[], None]) -> int:
    """Fork the guard of the process behind a pidfd; its pid."""
    monitor = pidfd_open(os.getpid())
    pid = os.fork()
    if pid:
        os.close(monitor)
        return pid
    status = 1
    try:
        status = _watch(monitor, init, delete)
    finally:
        os._exit(status)


def _watch(monitor: int, init: int, delete: Callable[[], None]) -> int:
    signal.set_wakeup_fd(-1)
    close_all_except([0, 1, 2, monitor, init])
    set_name("wherry-guard")
    poll = select.poll()
    poll.register(monitor, select.POLLIN)
    poll.poll()
    try:
        pidfd_send_signal(init, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    wait = select.poll()
    wait.register(init, select.POLLIN)
    wait.poll()
    try:
        delete()
    except (WherryError, OSError):
        return 1
    return 0
