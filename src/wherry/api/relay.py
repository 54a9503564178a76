"""Pumps a connection that cannot be handed away (TLS) to and from a socket that can."""

import asyncio
import socket
from typing import Final, Protocol

READ_BYTES: Final = 256 << 10


class Relayed(Protocol):
    """A connection whose incoming bytes go into a queue; an empty piece is their end."""

    transport: asyncio.Transport
    held: bytearray
    lost: bool
    arrived: asyncio.Queue[bytes] | None
    task: asyncio.Task[None] | None

    async def drain(self) -> None:
        """Until more may be written."""


_running: Final[set[asyncio.Task[None]]] = set()
"""Loops hold their tasks weakly; a relay outlives the request that began it."""


def relay(connection: Relayed) -> tuple[socket.socket, bytes]:
    """One end of a socket pair whose other end is pumped until both directions have ended."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    leftover = bytes(connection.held)
    connection.arrived = asyncio.Queue()
    connection.transport.resume_reading()
    task = asyncio.get_running_loop().create_task(_pump(connection, connection.arrived, ours))
    _running.add(task)
    task.add_done_callback(_running.discard)
    return theirs, leftover


async def _pump(connection: Relayed, arrived: asyncio.Queue[bytes], ours: socket.socket) -> None:
    inward = asyncio.create_task(_to_pair(connection, arrived, ours))
    try:
        await _to_client(connection, ours)
    finally:
        inward.cancel()
        await asyncio.gather(inward, return_exceptions=True)
        ours.close()
        connection.transport.close()


async def _to_pair(connection: Relayed, arrived: asyncio.Queue[bytes], ours: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    try:
        while data := await arrived.get():
            await loop.sock_sendall(ours, data)
            if not connection.transport.is_closing():
                connection.transport.resume_reading()
        ours.shutdown(socket.SHUT_WR)
    except OSError:
        return  # the other end is closed: nobody wants what the client still sends


async def _to_client(connection: Relayed, ours: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    try:
        while (data := await loop.sock_recv(ours, READ_BYTES)) and not connection.lost:
            connection.transport.write(data)
            await connection.drain()
    except ConnectionError:
        return  # the other end died: the client sees the end of its stream
