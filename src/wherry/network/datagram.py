"""A published UDP port: a socket to the container for each client, forgotten when idle."""

import contextlib
import socket
import struct
import time
from typing import NamedTuple

from wherry.network.inside import Inside
from wherry.network.loop import READ, Loop

IDLE_SECONDS = 90.0
"""How long a silent client keeps its socket; docker-proxy's figure."""
_CLIENTS = 4096
_LARGEST = 1 << 16
_BURST = 64
_IP_PKTINFO = 8
_IPV6_RECVPKTINFO = 49

Ancillary = tuple[tuple[int, int, bytes], ...]


class _Client(NamedTuple):
    """Where answers go, and from which of our addresses."""

    address: tuple[object, ...]
    local: Ancillary


class DatagramRelay:
    """Relays between a bound UDP socket and one target."""

    def __init__(
        self, loop: Loop, sock: socket.socket, inside: Inside, target: tuple[str, int]
    ) -> None:
        self._loop, self._socket, self._inside, self._target = loop, sock, inside, target
        self._upstream: dict[_Client, socket.socket] = {}
        self._used: dict[_Client, float] = {}
        ask_for_local_address(sock)
        loop.watch(sock.fileno(), READ, self._from_clients)

    def _from_clients(self, _: int) -> None:
        with contextlib.suppress(OSError):  # nothing more for now
            for _round in range(_BURST):
                data, ancillary, _flags, address = self._socket.recvmsg(_LARGEST, 128)
                self._forward(_Client(address, answer_from(ancillary)), data)

    def _forward(self, client: _Client, data: bytes) -> None:
        # out of descriptors, no such port in the container, a full queue: datagrams may be lost
        with contextlib.suppress(OSError):
            upstream = self._upstream.get(client) or self._open(client)
            self._used[client] = time.monotonic()
            upstream.send(data)

    def _open(self, client: _Client) -> socket.socket:
        if len(self._upstream) >= _CLIENTS:
            self._drop(min(self._used, key=self._used.__getitem__))
        upstream = self._inside.datagram()
        with contextlib.suppress(OSError):
            upstream.connect(self._target)
        self._upstream[client] = upstream
        self._loop.watch(upstream.fileno(), READ, lambda _: self._answer(client))
        return upstream

    def _answer(self, client: _Client) -> None:
        upstream = self._upstream[client]
        with contextlib.suppress(OSError):  # nothing more, or the target's refusal (ICMP)
            for _ in range(_BURST):
                data = upstream.recv(_LARGEST)
                self._used[client] = time.monotonic()
                self._socket.sendmsg([data], client.local, 0, client.address)

    def _drop(self, client: _Client) -> None:
        upstream = self._upstream.pop(client)
        self._used.pop(client)
        self._loop.forget(upstream.fileno())
        upstream.close()

    def tick(self, now: float) -> None:
        """Forget idle clients."""
        for client in [one for one, used in self._used.items() if now - used > IDLE_SECONDS]:
            self._drop(client)

    def close(self) -> None:
        """Close the port and all clients' sockets."""
        for client in list(self._upstream):
            self._drop(client)
        self._loop.forget(self._socket.fileno())
        self._socket.close()


def ask_for_local_address(sock: socket.socket) -> None:
    """A host with several addresses must answer from the one that was asked."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)


def answer_from(ancillary: list[tuple[int, int, bytes]]) -> Ancillary:
    """The received IP_PKTINFO turned into one for sending (ip(7)): source is what was asked."""
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            asked = data[8:12]
            return ((level, kind, struct.pack("=i4s4s", 0, asked, bytes(4))),)
        if level == socket.IPPROTO_IPV6:
            return ((level, kind, data),)
    return ()
