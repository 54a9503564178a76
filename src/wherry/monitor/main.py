"""A monitor from its fork to its end."""

import faulthandler
import os
import signal
import socket
from typing import NamedTuple

from wherry.kit.errors import WherryError
from wherry.linux.process import become_subreaper, set_name
from wherry.monitor import failure, files
from wherry.monitor.birth import Birth
from wherry.monitor.container import Container
from wherry.monitor.loop import Loop
from wherry.monitor.protocol import LaunchRequest
from wherry.monitor.reaper import Reaper
from wherry.monitor.requests import Requests
from wherry.monitor.server import Connection, Server


class Ready(NamedTuple):
    """What a monitor has before it knows its container."""

    loop: Loop
    reaper: Reaper
    birth: Birth


def get_ready() -> Ready:
    """Become a monitor without a container, in a process that was just forked."""
    os.setsid()
    os.umask(0o022)
    become_subreaper()
    birth = Birth()  # before there are signal handlers and the loop's descriptors
    ready = Ready(Loop(), Reaper(), birth)
    _handle_signals(ready.loop, ready.reaper)
    return ready


def run(request: LaunchRequest, sock: socket.socket, ready: Ready) -> None:
    """Be the container's monitor until it has ended and all is told; `sock` leads to the daemon."""
    ready.birth.expect(request.to_fields())
    set_name(f"wherry:{request.container_id[:8]}")
    _show_stack_on_signal(request.exec_dir)
    Session(ready, request).run(sock)


class Session:
    """Puts the parts of one monitor together."""

    __slots__ = ("_container", "_loop", "_requests", "_server")

    def __init__(self, ready: Ready, request: LaunchRequest) -> None:
        self._loop = loop = ready.loop
        self._container = Container(loop, ready.reaper, request, ready.birth, self._tell)
        self._container.on_gone = loop.stop
        self._requests = Requests(loop, self._container)
        self._server = Server(loop, self._requests.handle, self._requests.hello)

    def run(self, sock: socket.socket) -> None:
        """Create the container, then serve until it is gone."""
        daemon = self._server.add(sock)
        if self._create(daemon):
            if daemon.closed:  # it went while the container was made
                self._container.give_up()
            daemon.on_closed.append(self._container.give_up)
            self._loop.run()
        files.remove([files.socket_path(self._container.request.exec_dir)])
        self._server.close()  # last: with it the exec directory is free for another monitor

    def _create(self, daemon: Connection) -> bool:
        try:
            self._container.create()
            self._server.listen(files.socket_path(self._container.request.exec_dir))
        except (WherryError, OSError) as error:
            files.remove([f"{self._container.request.exec_dir}/monitor.json"])
            self._server.greet(daemon)
            daemon.send({"event": "failed", "error": failure.to_fields(error)})
            return False
        self._server.greet(daemon)
        daemon.send({"event": "created"}, self._container.descriptors())
        return True

    def _tell(self, fields: dict[str, object]) -> None:
        self._server.tell(fields)


def _handle_signals(loop: Loop, reaper: Reaper) -> None:
    def nothing() -> None:
        """The daemon's and the terminal's signals are not for us."""

    ignored = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    loop.on_signals({signal.SIGCHLD: reaper.collect, **dict.fromkeys(ignored, nothing)})


def _show_stack_on_signal(exec_dir: str) -> None:
    def show(_number: int, _frame: object) -> None:
        with open(f"{exec_dir}/stack.txt", "w") as file:
            faulthandler.dump_traceback(file)

    signal.signal(signal.SIGUSR1, show)
