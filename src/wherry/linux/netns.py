"""Network namespaces: doing one thing inside another one without leaving our own.

`setns` binds the calling thread only, so a short-lived thread goes in, opens what is wanted and
ends. A socket belongs for ever to the namespace it was opened in. Needs CAP_SYS_ADMIN in our own
user namespace and in the one that owns the network namespace.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from typing import TypeVar

CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


def enter(netns_fd: int) -> None:
    """Move the calling thread into the network namespace. Raises OSError."""
    if _libc.setns(netns_fd, CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(
            code, f"setns to network namespace (descriptor {netns_fd})", os.strerror(code)
        )


def inside(netns_fd: int, work: Callable[[], T]) -> T:
    """The result of `work`, called in a thread inside the network namespace; errors are raised."""
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            enter(netns_fd)
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller
            failures.append(error)

    thread = threading.Thread(target=run, name="netns")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]
