"""The name servers of all containers: what is asked at 127.0.0.11, answered here or passed on."""

import contextlib
import functools
import os
import socket
from collections.abc import Callable, Iterable
from typing import NamedTuple

from wherry.network.dns import message, sandbox, zone
from wherry.network.dns.message import Malformed, Query
from wherry.network.dns.sandbox import Init, Opened
from wherry.network.dns.streams import Reply, StreamServer
from wherry.network.dns.upstream import Upstream
from wherry.network.dns.zone import Table
from wherry.network.egress.guards import Guards
from wherry.network.inside import Inside
from wherry.network.loop import READ, Loop
from wherry.network.names import NamedEndpoint, Resolving

_BURST = 64
_PENDING = 256
"""Questions of one container that may be under way outside."""


class Served(NamedTuple):
    """A container that is served."""

    resolving: Resolving
    init: Init


class Zone:
    """What all containers' servers share: the names, and the way to other servers."""

    def __init__(self, loop: Loop, inside: Inside, guards: Guards) -> None:
        self.guards = guards
        self.tables: dict[str, Table] = {}
        self.endpoints: dict[str, tuple[NamedEndpoint, ...]] = {}
        self._inside = inside
        self._addresses: frozenset[str] = frozenset()
        self.upstream = Upstream(loop, self._open)

    def replace(self, network_id: str, endpoints: Iterable[NamedEndpoint]) -> None:
        """All names of one network; none: forget it."""
        listed = tuple(endpoints)
        if listed:
            self.endpoints[network_id], self.tables[network_id] = listed, Table(listed)
        else:
            self.endpoints.pop(network_id, None)
            self.tables.pop(network_id, None)
        everyone = (one for each in self.endpoints.values() for one in each)
        self._addresses = frozenset(zone.plain(at) for one in everyone for at in one.addresses)

    def _open(self, server: str, kind: int) -> socket.socket:
        """Other servers are asked from the host, whose loopback they may be on, containers from
        where the bridges are."""
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        flags = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        if zone.plain(server) in self._addresses:
            return self._inside.call(lambda: socket.socket(family, kind | flags))
        return socket.socket(family, kind | flags)


class ContainerServer:
    """The name server of one container, until its init ends."""

    def __init__(
        self, loop: Loop, shared: Zone, served: Served, opened: Opened, ended: Callable[[], None]
    ) -> None:
        self._loop, self._zone, self.served = loop, shared, served
        self._socket, self._pidfd = opened.datagrams, opened.pidfd
        self._pending = 0
        self._streams = StreamServer(loop, opened.streams, self._from_stream)
        loop.watch(self._socket.fileno(), READ, self._from_datagrams)
        loop.watch(self._pidfd, READ, lambda _: ended())

    def _from_datagrams(self, _: int) -> None:
        for _round in range(_BURST):
            try:
                data, client = self._socket.recvfrom(message.LARGEST)
            except OSError:  # nothing more for now
                return
            self._handle(data, functools.partial(self._send, client), stream=False)

    def _from_stream(self, data: bytes, reply: Reply) -> None:
        self._handle(data, reply, stream=True)

    def _send(self, client: tuple[str, int], answer: bytes) -> None:
        with contextlib.suppress(OSError):  # it is gone, or its queue is full: it asks again
            self._socket.sendto(answer, client)

    def _handle(self, data: bytes, reply: Reply, *, stream: bool) -> None:
        try:
            query = message.read_query(data)
            if not query.standard:
                reply(message.answer(query, code=message.NOT_IMPLEMENTED))
                return
            local = zone.decide(query, self.served.resolving, self._zone.tables)
        except Malformed:
            if (refusal := message.format_error(data)) is not None:
                reply(refusal)
            return
        if local is None:
            self._forward(query, data, reply, stream=stream)
        else:
            limit = message.LARGEST if stream else query.limit
            reply(message.answer(query, shuffled(local.records), ttl=zone.TTL, limit=limit))

    def _forward(self, query: Query, data: bytes, reply: Reply, *, stream: bool) -> None:
        def done(answer: bytes | None) -> None:
            self._pending -= 1
            if answer is not None:
                self._learn(query, answer)
            reply(answer or message.answer(query, code=message.SERVER_FAILURE))

        if not self._zone.guards.may_ask(self.served.resolving.container_id, query.name):
            reply(message.answer(query, code=message.NAME_ERROR))
            return
        if self._pending >= _PENDING:
            reply(message.answer(query, code=message.SERVER_FAILURE))
            return
        self._pending += 1
        servers = self.served.resolving.nameservers
        self._zone.upstream.ask(query, data, servers, stream=stream, done=done)

    def _learn(self, query: Query, answer: bytes) -> None:
        """For egress rules on names: before the container has the answer, and uses it."""
        learn = self._zone.guards.learn(self.served.resolving.container_id)
        if learn is not None:
            with contextlib.suppress(Malformed):  # the container may make of it what it can
                learn(query.name, message.addresses(answer, query))

    def tick(self, now: float) -> None:
        """Forget idle connections."""
        self._streams.tick(now)

    def close(self) -> None:
        """Let go of the container's namespace."""
        self._streams.close()
        for descriptor in (self._socket.fileno(), self._pidfd):
            self._loop.forget(descriptor)
        self._socket.close()
        os.close(self._pidfd)


class NameServers:
    """One server a container."""

    def __init__(self, loop: Loop, inside: Inside, guards: Guards) -> None:
        self._loop = loop
        self.zone = Zone(loop, inside, guards)
        self._servers: dict[str, ContainerServer] = {}
        loop.every_second(self._tick)

    def serve(self, resolving: Resolving, init: Init) -> None:
        """Serve a container, or change how. Raises InvalidInput (it ended), OSError."""
        wanted = Served(resolving._replace(nameservers=usable(resolving.nameservers)), init)
        known = self._servers.get(resolving.container_id)
        if known is not None and known.served.init == init:
            known.served = wanted
            return
        self._close(resolving.container_id)
        opened = sandbox.open_sandbox(init)
        id = resolving.container_id
        self._servers[id] = ContainerServer(
            self._loop, self.zone, wanted, opened, lambda: self._close(id)
        )

    def stop(self, container_id: str) -> None:
        """Serve it no more; it may live on."""
        known = self._servers.get(container_id)
        if known is not None:
            self._close(container_id)
            sandbox.remove_rules(known.served.init)

    def served(self) -> list[Served]:
        """Every container that is served now."""
        return [server.served for server in self._servers.values()]

    def _close(self, container_id: str) -> None:
        server = self._servers.pop(container_id, None)
        if server is not None:
            server.close()

    def _tick(self, now: float) -> None:
        for server in self._servers.values():
            server.tick(now)


def usable(nameservers: Iterable[str]) -> tuple[str, ...]:
    """Those that are addresses: anything else would be looked up, and hold everybody up."""
    return tuple(server for server in nameservers if _is_address(server))


def _is_address(text: str) -> bool:
    try:
        message.packed(text.partition("%")[0])
    except Malformed:
        return False
    return True


def shuffled(records: tuple[tuple[int, bytes], ...]) -> list[tuple[int, bytes]]:
    """In any order, so that several containers of one name share the work."""
    return sorted(records, key=lambda _: os.urandom(4))
