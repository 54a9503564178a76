"""Sockets that belong to the engine's network namespace, made by a thread that lives in it.

A plain user cannot come back from a namespace into the host's (that one belongs to another user
namespace), so the process itself never leaves: one thread goes in for good.
"""

import queue
import socket
import threading
from collections.abc import Callable
from typing import TypeVar

from wherry.linux import netns

T = TypeVar("T")
_STOCK = 16


class Inside:
    """Makes sockets in a namespace; with descriptor -1, in our own."""

    def __init__(self, netns_fd: int) -> None:
        self._direct = netns_fd < 0
        self._stock: list[socket.socket] = []
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        if not self._direct:
            entered: queue.SimpleQueue[OSError | None] = queue.SimpleQueue()
            arguments = (netns_fd, entered)
            threading.Thread(target=self._live, args=arguments, daemon=True).start()
            if (failure := entered.get()) is not None:
                raise failure

    def _live(self, netns_fd: int, entered: "queue.SimpleQueue[OSError | None]") -> None:
        try:
            netns.enter(netns_fd)
        except OSError as error:
            entered.put(error)
            return
        entered.put(None)
        while True:
            self._work.get()()

    def call(self, make: Callable[[], T]) -> T:
        """The result of a function that makes a socket. Raises what it raises."""
        if self._direct:
            return make()
        answers: queue.SimpleQueue[tuple[T | None, OSError | None]] = queue.SimpleQueue()

        def run() -> None:
            try:
                answers.put((make(), None))
            except OSError as error:
                answers.put((None, error))

        self._work.put(run)
        result, failure = answers.get()
        if failure is not None:
            raise failure
        return result  # type: ignore[return-value]

    def stream(self) -> socket.socket:
        """A TCP socket; several are made at once, since the way to the thread is the dear part."""
        if self._direct:
            return _stream()
        if not self._stock:
            self._stock = self.call(lambda: [_stream() for _ in range(_STOCK)])
        return self._stock.pop()

    def datagram(self) -> socket.socket:
        """A UDP socket."""
        return self.call(lambda: _socket(socket.SOCK_DGRAM))


def _socket(kind: int) -> socket.socket:
    return socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)


def _stream() -> socket.socket:
    return _socket(socket.SOCK_STREAM)
