"""The monitor's part for containers with one id: the socket that filters come to, and waiting.

Most containers never change their user. The process that makes it happen (`id_server`) is started
by the first call that asks for it; until then the monitor holds the descriptors.
"""

import contextlib
import os
import signal
import socket
from functools import partial
from typing import NoReturn

from wherry.linux import fdpass
from wherry.linux.process import close_all_except, die_with_parent, set_name
from wherry.monitor.loop import IN, Loop
from wherry.monitor.server import bind_long


def socket_path(exec_dir: str) -> str:
    """The `listenerPath` of the container's profile."""
    return f"{exec_dir}/ids.sock"


class IdWatch:
    """`helpers` gets the pid of the process that is started."""

    __slots__ = ("_helpers", "_listeners", "_loop", "_path", "_pid", "_sockets")

    def __init__(self, loop: Loop, exec_dir: str, helpers: set[int]) -> None:
        self._loop = loop
        self._helpers = helpers
        self._path = socket_path(exec_dir)
        self._pid = 0
        self._listeners: list[int] = []
        os.makedirs(exec_dir, 0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        self._sockets = [bind_long(self._path)]
        loop.watch(self._sockets[0].fileno(), IN, lambda _events: self._accept())

    def close(self) -> None:
        """The container has ended."""
        self._let_go()
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    def _accept(self) -> None:
        connection, _ = self._sockets[0].accept()
        self._sockets.append(connection)
        self._loop.watch(connection.fileno(), IN, lambda _events: self._receive(connection))

    def _receive(self, connection: socket.socket) -> None:
        _, descriptors = fdpass.receive(connection)
        self._loop.forget(connection.fileno())
        self._sockets.remove(connection)
        connection.close()
        for listener in descriptors:
            self._listeners.append(listener)
            self._loop.watch(listener, IN, partial(self._called, listener))

    def _called(self, listener: int, events: int) -> None:
        if events & IN:
            self._serve()
            return
        self._loop.forget(listener)  # nobody is bound by that filter any more
        self._listeners.remove(listener)
        os.close(listener)

    def _serve(self) -> None:
        self._pid = os.fork()
        if self._pid == 0:
            self._be_server()
        self._helpers.add(self._pid)
        self._let_go()

    def _let_go(self) -> None:
        for sock in self._sockets:
            self._loop.forget(sock.fileno())
            sock.close()
        for listener in self._listeners:
            self._loop.forget(listener)
            os.close(listener)
        self._sockets, self._listeners = [], []

    def _be_server(self) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            die_with_parent()
            set_name("wherry:ids")
            keep = [sock.fileno() for sock in self._sockets]
            close_all_except([0, 1, 2, *keep, *self._listeners])
            from wherry.monitor.id_server import IdServer  # few containers pay for it

            IdServer(self._sockets, self._listeners).run()
        finally:
            os._exit(1)
