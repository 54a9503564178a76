"""Monitors that were forked ahead of time and wait for a container, for a quicker start.

They hold nothing but a socket to the zygote, whose end is their end too. Few are kept, since each
costs a megabyte, and new ones are made when it is quiet, so a burst of launches is not slowed.
"""

import os
import socket
from collections.abc import Callable, Sequence

from wherry.linux import fdpass

MOST = 1
QUIET = 20
"""Milliseconds without a request after which another one is forked."""


class Parking:
    """The zygote's ends of the sockets."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[socket.socket] = []

    @property
    def full(self) -> bool:
        """Whether enough are waiting."""
        return len(self._waiting) >= MOST

    def add(self, wait: Callable[[socket.socket], None]) -> None:
        """Fork one, in which `wait` is called and does not return. Raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if pid == 0:
            ours.close()
            wait(theirs)
        theirs.close()
        self._waiting.append(ours)

    def hand_over(self, data: bytes, fds: Sequence[int]) -> bool:
        """Give a request to one that waits; False where there is none (any more)."""
        while self._waiting:
            with self._waiting.pop(0) as sock:
                try:
                    fdpass.send(sock, data, fds)
                except OSError:  # it was killed: the next one
                    continue
                return True
        return False

    def close(self) -> None:
        """In a child of the zygote: with our copies of the ends, the others would outlive it."""
        for sock in self._waiting:
            sock.close()
        self._waiting.clear()
