"""A proxy in front of a unix socket that breaks connections after some bytes."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator

BLOCK = 16384


class Cutter:
    """Each connection breaks, both ways, when so many bytes went up (or down) on it.

    A connection after the first cut is passed on whole: the link is back.
    """

    def __init__(self, path: str, target: str, *, up: int = 0, down: int = 0) -> None:
        self.path = path
        self.cut = threading.Event()
        self.on_cut: Callable[[], None] = lambda: None
        self._target = target
        self._limits = (up, down)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def host(self) -> str:
        return f"unix://{self.path}"

    def close(self) -> None:
        self._listener.close()
        os.unlink(self.path)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._target)
                for pair, limit in (((near, far), 0), ((far, near), 1)):
                    words = (*pair, self._limits[limit])
                    threading.Thread(target=self._pump, args=words, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, limit: int) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(BLOCK):
                target.sendall(data)
                passed += len(data)
                if limit and passed > limit and not self.cut.is_set():
                    self.cut.set()
                    self.on_cut()
                    for sock in (source, target):
                        sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def cutter(path: str, target: str, *, up: int = 0, down: int = 0) -> Iterator[Cutter]:
    """A proxy for the time of a block."""
    made = Cutter(path, target, up=up, down=down)
    try:
        yield made
    finally:
        made.close()
