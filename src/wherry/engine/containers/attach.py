"""POST /containers/{id}/attach, and the resize of a container's terminal."""

import asyncio
import contextlib
import socket
from typing import NamedTuple, Protocol

from wherry.engine.containers.container import Container
from wherry.engine.containers.logs import LogsOptions, logs
from wherry.engine.engine import Engine
from wherry.engine.registry import happened
from wherry.kit.errors import Conflict, InvalidInput, Unavailable, Unsupported, WherryError
from wherry.monitor.handle import MonitorHandle
from wherry.monitor.protocol import AttachOptions


class Hijacked(Protocol):
    """A client's connection that stops being HTTP; `api.hijack` has the implementation."""

    async def take(self, multiplexed: bool = False) -> tuple[socket.socket, bytes]:
        """The socket, ours to close, and what the client has sent already."""


class Waiting(NamedTuple):
    """A client that attached before the start."""

    sock: socket.socket
    options: AttachOptions

    async def hand_over(self, monitor: MonitorHandle) -> None:
        """Give the client's connection to the monitor."""
        with self.sock:
            await monitor.attach(self.sock.fileno(), self.options)

    def close(self) -> None:
        """The container will not start: hang up."""
        self.sock.close()


async def attach(engine: Engine, ref: str, options: AttachOptions, hijacked: Hijacked) -> None:
    """Join a client to a container, or have it wait for the start.

    Raises before the connection is taken: NoSuchContainer, Conflict (paused).
    """
    container = engine.containers.find(ref)
    if container.state.status == "paused":
        raise Conflict(f"container {container.id} is paused, unpause the container before attach")
    tty = container.record.request.tty
    stdin = options.stdin and container.record.request.open_stdin
    sock, leftover = await hijacked.take(multiplexed=not tty)
    wanted = options._replace(leftover=leftover, mux=not tty, stdin=stdin)
    await engine.journal.commit([], happened(container.record, "attach"))
    monitor = container.monitor
    if monitor is None or monitor.exited is not None:
        if wanted.logs:
            await _send_log(engine, container, sock, wanted)
        _wait_or_end(container, Waiting(sock, wanted._replace(logs=False)))
        return
    try:
        await Waiting(sock, wanted).hand_over(monitor)
    except (Conflict, Unavailable):
        return  # it has just ended: the client sees the end of its stream


async def _send_log(
    engine: Engine, container: Container, sock: socket.socket, wanted: AttachOptions
) -> None:
    """What an ended container has written; nothing where its log driver keeps nothing."""
    options = LogsOptions(stdout=wanted.stdout, stderr=wanted.stderr)
    sock.setblocking(False)
    with contextlib.suppress(OSError, Unsupported, InvalidInput):  # the client may have left
        pieces = await logs(engine, container.id, options)
        async for piece in pieces:
            await asyncio.get_running_loop().sock_sendall(sock, piece)


def _wait_or_end(container: Container, waiting: Waiting) -> None:
    """Only a stream can wait."""
    if waiting.options.stream and container.state.status in ("created", "exited"):
        container.pending.append(waiting)
    else:
        waiting.close()


async def resize(engine: Engine, ref: str, height: int, width: int) -> None:
    """Raises NoSuchContainer, Conflict where it is not running."""
    container = engine.containers.find(ref)
    monitor = container.monitor
    if monitor is None:
        raise Conflict(f"Container {container.id} is not running")
    await monitor.resize(width, height)
    told = happened(container.record, "resize", height=str(height), width=str(width))
    await engine.journal.commit([], told)


def hang_up(container: Container) -> None:
    """End the clients that wait for a start that will not come."""
    waiting, container.pending = container.pending, []
    for client in waiting:
        try:
            client.close()
        except (OSError, WherryError):
            continue  # it is gone already
