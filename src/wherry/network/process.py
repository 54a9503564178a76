"""The program `wherry-net`: one for an engine, it outlives the daemon.

It holds the published ports, answers DNS inside of containers and is, for a plain user, the way out
of the engine's network namespace. It keeps to what it was told. It ends when it is told to, never
by itself, since containers may be running without a daemon.
"""

import contextlib
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

from wherry.kit.errors import InvalidInput, NotPermitted, WherryError
from wherry.linux import process as processes
from wherry.network import protocol
from wherry.network.dns.server import NameServers
from wherry.network.egress.guards import Guards
from wherry.network.exits import Exits
from wherry.network.inside import Inside
from wherry.network.listeners import Listeners
from wherry.network.loop import BROKEN, READ, Loop
from wherry.network.ports import Outbound

SOCKET, IDENTITY, LOCK = "s", "wherry-net.json", "lock"


class NetServer:
    """Answers the daemon's messages."""

    def __init__(self, loop: Loop, netns_fd: int) -> None:
        self._loop = loop
        self._inside = Inside(netns_fd)
        self._listeners = Listeners(loop, self._inside)
        self._guards = Guards(self._say)
        self._names = NameServers(loop, self._inside, self._guards)
        self._exits = Exits(loop, self._inside, self._guards, separate=netns_fd >= 0)
        self.listeners: list[Callable[[dict[str, object]], None]] = []
        loop.every_second(self._guards.tick)

    def _say(self, event: dict[str, object]) -> None:
        for listener in self.listeners:
            listener(event)

    def answer(self, message: dict[str, Any]) -> object:
        """Do what a message asks. Raises WherryError."""
        match message.get("do"):
            case "hello":
                return {"version": protocol.VERSION, "pid": os.getpid()}
            case "publish":
                endpoint, address = str(message["endpoint"]), str(message["address"])
                bindings = protocol.read_bindings(message["bindings"])
                return self._listeners.publish(endpoint, address, bindings)
            case "withdraw":
                self._listeners.withdraw(str(message["endpoint"]))
                return True
            case "published":
                return self._listeners.published()
            case "outbound":
                gateways = map(str, message.get("gateways", ()))
                return self._exits.open(gateways, _ports(message))
            case "shutdown":
                self._loop.stop()
                return True
        return self._answer_for_names(message)

    def _answer_for_names(self, message: dict[str, Any]) -> object:
        match message.get("do"):
            case "serve":
                resolving = protocol.read_resolving(message["resolving"])
                self._names.serve(resolving, protocol.read_init(message["init"]))
                return True
            case "names":
                endpoints = protocol.read_endpoints(message["endpoints"])
                self._names.zone.replace(str(message["network"]), endpoints)
                return True
            case "stop_serving":
                self._names.stop(str(message["container"]))
                return True
            case "serving":
                return {"served": self._names.served(), "names": self._names.zone.endpoints}
        return self._answer_for_rules(message)

    def _answer_for_rules(self, message: dict[str, Any]) -> object:
        match message.get("do"):
            case "guard":
                return self._exits.guard(protocol.read_guarded(message["guarded"]), _ports(message))
            case "release":
                self._guards.release(str(message["endpoint"]))
                return True
            case "guarded":
                return self._exits.guarded()
        raise InvalidInput(f"network process: unknown message {message.get('do')!r}")


def _ports(message: dict[str, Any]) -> Outbound:
    return Outbound(*(int(message.get(name, 0)) for name in Outbound._fields))


class ControlSocket:
    """The unix socket and the daemons (one, and now and then a second) connected to it."""

    def __init__(self, loop: Loop, path: str, server: NetServer) -> None:
        self._loop, self._server = loop, server
        self._buffers: dict[int, bytes] = {}
        self._clients: dict[int, socket.socket] = {}
        server.listeners.append(self._tell)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self._socket.bind(path)
        self._socket.listen(8)
        loop.watch(self._socket.fileno(), READ, self._accept)

    def _accept(self, _: int) -> None:
        client, _address = self._socket.accept()
        peer = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        if struct.unpack("3i", peer)[1] not in (os.geteuid(), 0):
            client.close()
            return
        client.settimeout(5)
        self._buffers[client.fileno()] = b""
        self._clients[client.fileno()] = client
        self._loop.watch(client.fileno(), READ, lambda events: self._ready(client, events))

    def _ready(self, client: socket.socket, events: int) -> None:
        try:
            data = client.recv(1 << 16)
            if not data or (events & BROKEN and not events & READ):
                self._drop(client)
                return
            *lines, rest = (self._buffers[client.fileno()] + data).split(b"\n")
            if len(rest) > protocol.LIMIT:
                raise InvalidInput("network process: line too long")
            self._buffers[client.fileno()] = rest
            for line in lines:
                client.sendall(protocol.encode(self._answer(line)))
        except (OSError, InvalidInput):
            self._drop(client)

    def _answer(self, line: bytes) -> dict[str, Any]:
        number: object = None
        try:
            message = protocol.decode(line)
            number = message.get("id")
            return {"id": number, "ok": self._server.answer(message)}
        except (WherryError, OSError) as error:
            return protocol.failure(number, error)
        except (KeyError, TypeError, ValueError) as error:
            return protocol.failure(
                number, InvalidInput(f"network process: bad message: {error!r}")
            )

    def _tell(self, event: dict[str, object]) -> None:
        """To every daemon that listens; who does not keep up is cut off, it connects again."""
        line = protocol.encode(event)
        for client in list(self._clients.values()):
            try:
                complete = client.send(line, socket.MSG_DONTWAIT) == len(line)
            except OSError:
                complete = False
            if not complete:
                self._drop(client)

    def _drop(self, client: socket.socket) -> None:
        self._buffers.pop(client.fileno(), None)
        self._clients.pop(client.fileno(), None)
        self._loop.forget(client.fileno())
        client.close()


def _become_the_one(directory: str) -> None:
    """Take the engine's lock for as long as we live. Raises NotPermitted when it is taken."""
    lock = os.open(os.path.join(directory, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise NotPermitted(f"another network process works in {directory}") from None


def _write_identity(directory: str) -> None:
    pid = os.getpid()
    identity = {
        "pid": pid,
        "start_time": processes.start_time(pid),
        "boot_id": processes.boot_id(),
        "version": protocol.VERSION,
    }
    path = os.path.join(directory, IDENTITY)
    with open(path + ".tmp", "w") as file:
        json.dump(identity, file)
    os.rename(path + ".tmp", path)


def _settle() -> None:
    """Signals of the daemon's terminal are not ours; a daemon's descriptor limit is too small."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    processes.set_name("wherry-net")


def main(arguments: list[str]) -> int:
    """`DIRECTORY NETNS_FD`: work until told to stop; "ready" or the reason against on stdout.

    We go on as an orphan, so that no daemon has to wait for us.
    """
    directory, netns_fd = arguments[0], int(arguments[1])
    if os.fork():
        os._exit(0)
    try:
        _settle()
        _become_the_one(directory)
        loop = Loop()
        ControlSocket(loop, os.path.join(directory, SOCKET), NetServer(loop, netns_fd))
        _write_identity(directory)
    except (OSError, WherryError) as error:
        os.write(1, f"{error}\n".encode())
        return 1
    os.write(1, b"ready\n")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    loop.run()
    for name in (SOCKET, IDENTITY):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(directory, name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
