"""The published ports of all endpoints, each with its listener and the connections through it."""

import errno
import socket
from collections.abc import Callable
from typing import NamedTuple

from wherry.network.binder import Binder, Bound
from wherry.network.datagram import DatagramRelay
from wherry.network.inside import Inside
from wherry.network.loop import READ, Loop
from wherry.network.ports import PortBinding, Published, PublishedPort
from wherry.network.relay import Relay

_BURST = 64
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def accept_some(sock: socket.socket, use: Callable[[socket.socket], None]) -> bool:
    """Accept what waits; False when the process or the host is out of descriptors or memory."""
    for _ in range(_BURST):
        try:
            client, _address = sock.accept()
        except BlockingIOError:
            return True
        except OSError as error:  # otherwise: that one connection was broken already
            return error.errno not in _NO_ROOM
        use(client)
    return True


class StreamListener:
    """A listening TCP socket whose connections go to one target."""

    def __init__(
        self, loop: Loop, sock: socket.socket, inside: Inside, target: tuple[str, int]
    ) -> None:
        self._loop, self._socket, self._inside, self._target = loop, sock, inside, target
        self._relays: set[Relay] = set()
        self._paused = False
        self._watch()

    def _watch(self) -> None:
        self._loop.watch(self._socket.fileno(), READ, self._accept)

    def _accept(self, _: int) -> None:
        if not accept_some(self._socket, self._relay):
            self._pause()

    def _relay(self, client: socket.socket) -> None:
        try:
            server = self._inside.stream()
        except OSError:
            client.close()
            return
        relay = Relay(self._loop, client, server, self._target, self._relays.discard)
        if client.fileno() >= 0:
            self._relays.add(relay)

    def _pause(self) -> None:
        """Out of descriptors: wait for the next tick instead of spinning."""
        self._loop.forget(self._socket.fileno())
        self._paused = True

    def tick(self, _: float) -> None:
        """Accept again after a pause."""
        if self._paused:
            self._paused = False
            self._watch()

    def close(self) -> None:
        """Close the port and every connection through it. May be repeated."""
        if self._socket.fileno() < 0:
            return
        self._loop.forget(self._socket.fileno())
        self._socket.close()
        for relay in list(self._relays):
            relay.abort()


class _Entry(NamedTuple):
    published: Published
    listeners: tuple[StreamListener | DatagramRelay, ...]


class Listeners:
    """All published ports."""

    def __init__(self, loop: Loop, inside: Inside) -> None:
        self._loop, self._inside = loop, inside
        self._binder = Binder()
        self._entries: dict[str, _Entry] = {}
        loop.every_second(self._tick)

    def publish(
        self, endpoint: str, address: str, bindings: tuple[PortBinding, ...]
    ) -> tuple[PublishedPort, ...]:
        """All of an endpoint's ports or none. The same again gives what is there."""
        known = self._entries.get(endpoint)
        if known is not None:
            if known.published.address == address and _same(known, bindings):
                return known.published.ports
            self.withdraw(endpoint)
        bound: list[Bound] = []
        try:
            for binding in bindings:
                bound += self._binder.bind(binding)
        except BaseException:
            self._free(bound)
            raise
        listeners = tuple(self._listen(port, sock, address) for port, sock in bound)
        published = Published(endpoint, address, tuple(port for port, _ in bound))
        self._entries[endpoint] = _Entry(published, listeners)
        return published.ports

    def _listen(
        self, port: PublishedPort, sock: socket.socket, address: str
    ) -> StreamListener | DatagramRelay:
        kind = StreamListener if port.protocol == "tcp" else DatagramRelay
        return kind(self._loop, sock, self._inside, (address, port.container_port))

    def _free(self, bound: list[Bound]) -> None:
        for port, sock in bound:
            sock.close()
            self._binder.release(port)

    def withdraw(self, endpoint: str) -> None:
        """Close an endpoint's ports; unknown endpoints are gone already."""
        entry = self._entries.pop(endpoint, None)
        if entry is None:
            return
        for listener in entry.listeners:
            listener.close()
        for port in entry.published.ports:
            self._binder.release(port)

    def published(self) -> list[Published]:
        """What is published now."""
        return [entry.published for entry in self._entries.values()]

    def _tick(self, now: float) -> None:
        for entry in self._entries.values():
            for listener in entry.listeners:
                listener.tick(now)


def _same(entry: _Entry, bindings: tuple[PortBinding, ...]) -> bool:
    """The same request, or one that names what it became."""
    ports = entry.published.ports
    return all(any(_gives(b, port) for port in ports) for b in bindings) and all(
        any(_gives(b, port) for b in bindings) for port in ports
    )


def _gives(binding: PortBinding, port: PublishedPort) -> bool:
    if (binding.protocol, binding.container_port) != (port.protocol, port.container_port):
        return False
    last = max(binding.host_port, binding.host_port_end)
    return binding.host_ip in ("", port.host_ip) and (
        not binding.host_port or binding.host_port <= port.host_port <= last
    )
