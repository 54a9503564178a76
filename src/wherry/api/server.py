"""Listeners: unix sockets and TCP, and the connections on them."""

import asyncio
import grp
import logging
import os
import socket
import ssl
import stat
from functools import partial
from typing import Any, Final, NamedTuple

from aiohttp import web

from wherry.api.dispatch import Dispatcher
from wherry.api.framing import HEAD_LIMIT
from wherry.api.front import Front
from wherry.api.origin import OriginRule, own_names
from wherry.api.secure import Gate
from wherry.kit.errors import Conflict, InvalidInput, Unavailable
from wherry.kit.keepalive import watch_for_dead_peers

log = logging.getLogger(__name__)

SOCKET_MODE: Final = 0o660
SOCKET_GROUP: Final = "docker"
GRACE: Final = 5.0
"""Seconds that requests under way get when the server closes."""


class UnixListener(NamedTuple):
    """A socket file; given to the group `docker` where it exists."""

    path: str
    group: str = SOCKET_GROUP


class TcpListener(NamedTuple):
    """An address; port 0 takes a free one. `hosts` are further names for the Host header."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    hosts: frozenset[str] = frozenset()


class InheritedListener(NamedTuple):
    """A listening socket that somebody else opened (socket activation)."""

    sock: socket.socket
    tls: ssl.SSLContext | None = None


Listener = UnixListener | TcpListener | InheritedListener


class ApiServer:
    """Serves one dispatcher on any number of listeners."""

    def __init__(self, dispatcher: Dispatcher[Any]) -> None:
        self._dispatcher = dispatcher
        self._servers: list[asyncio.Server] = []
        self._https: list[web.Server] = []
        self._connections: set[asyncio.Transport] = set()
        self._paths: list[tuple[str, int]] = []

    async def listen(self, listener: Listener) -> socket.socket:
        """Start to listen; gives the socket. Raises Conflict where another server answers."""
        if isinstance(listener, UnixListener):
            return await self._listen_unix(listener)
        sock = _bind_tcp(listener) if isinstance(listener, TcpListener) else listener.sock
        if sock.family == socket.AF_UNIX:
            await self._serve(sock, None, None)
            return sock
        watch_for_dead_peers(sock)
        names = listener.hosts if isinstance(listener, TcpListener) else frozenset()
        secure = listener.tls is not None
        rule = OriginRule(own_names().hosts | names, any_host=secure)
        await self._serve(sock, rule, listener.tls)
        return sock

    async def _listen_unix(self, listener: UnixListener) -> socket.socket:
        sock = bind_unix(listener.path, listener.group)
        self._paths.append((listener.path, os.stat(listener.path).st_ino))
        await self._serve(sock, None, None)
        return sock

    async def _serve(
        self, sock: socket.socket, rule: OriginRule | None, tls: ssl.SSLContext | None
    ) -> None:
        http = web.Server(
            partial(self._dispatcher.answer, rule=rule),
            handler_cancellation=True,
            auto_decompress=False,
            access_log=None,
            max_line_size=HEAD_LIMIT,
            max_field_size=HEAD_LIMIT,
        )
        self._https.append(http)
        on_hijack = partial(self._dispatcher.answer_hijack, rule=rule)
        loop = asyncio.get_running_loop()
        sock.setblocking(False)

        def front() -> asyncio.Protocol:
            return Front(http, on_hijack, self._connections)

        make = front if tls is None else partial(Gate, tls, front)
        server = await loop.create_server(make, sock=sock, backlog=1024)
        self._servers.append(server)

    async def close(self) -> None:
        """Stop listening, let running requests end for a while, close every connection."""
        for server in self._servers:
            server.close()
        for path, inode in self._paths:
            _unlink_own(path, inode)
        await self._dispatcher.drain(GRACE)
        for http in self._https:
            http.pre_shutdown()
            await http.shutdown(0)
        for transport in tuple(self._connections):
            transport.close()


def bind_unix(path: str, group: str = SOCKET_GROUP) -> socket.socket:
    """A listening socket at the path, mode 0660.

    A socket file is replaced only where nobody answers on it. Raises Conflict, InvalidInput.
    """
    _make_room(path)
    os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o755, exist_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    old = os.umask(0o777 & ~SOCKET_MODE)
    try:
        sock.bind(path)
    except OSError as error:
        sock.close()
        raise InvalidInput(f"cannot listen on {path}: {error}") from error
    finally:
        os.umask(old)
    _give_to_group(path, group)
    sock.listen(1024)
    return sock


def _make_room(path: str) -> None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise Conflict(f"cannot listen on {path}: a file that is no socket is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            log.info("replacing the socket %s, which nobody answers on", path)
            _unlink_own(path, status.st_ino)
            return
        except OSError as error:
            raise Unavailable(f"cannot tell whether {path} is in use: {error}") from error
    raise Conflict(f"cannot listen on {path}: another server answers there")


def _unlink_own(path: str, inode: int) -> None:
    """Remove the socket file unless it has been replaced by another."""
    try:
        if os.lstat(path).st_ino == inode:
            os.unlink(path)
    except FileNotFoundError:
        return


def _give_to_group(path: str, group: str) -> None:
    try:
        os.chown(path, -1, grp.getgrnam(group).gr_gid)
    except (KeyError, OSError) as error:  # a plain user's namespace may not know the group
        log.debug("%s stays with its owner's group: %s", path, error)


def _bind_tcp(listener: TcpListener) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
        return socket.create_server((listener.host, listener.port), family=family, backlog=1024)
    except OSError as error:
        address = f"{listener.host}:{listener.port}"
        raise InvalidInput(f"cannot listen on tcp {address}: {error}") from error
