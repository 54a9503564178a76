"""The daemon's side of the network process: what it holds for the engine.

The handles remember what they asked for. When the process dies, a new one is started at once and
takes over: the same host ports, and the same ports inside, so that the packet filter's rules stay
right, and the same names.
"""

import contextlib
import os
from collections.abc import Iterable

from wherry.kit.errors import Conflict, Unavailable
from wherry.network import protocol, succession
from wherry.network.egress.guards import Guarded
from wherry.network.guards_handle import GuardsHandle
from wherry.network.names_handle import NamesHandle
from wherry.network.ports import Outbound, PortBinding, Published, PublishedPort
from wherry.network.process_link import ProcessLink, Send


class NetProcess:
    """One engine's network process. `netns_fd` is the namespace of the bridges, -1 for our own."""

    def __init__(self, directory: str, netns_fd: int = -1) -> None:
        self._link = ProcessLink(directory, netns_fd, self._needed)
        self._wanted: dict[str, Published] = {}
        self._outbound: tuple[tuple[str, ...], Outbound] | None = None
        self.guards = GuardsHandle(self._link)
        self.names = NamesHandle(self._link)
        self._link.take_over += [
            self.guards.take_over,
            self._take_over,
            self.names.take_over,
        ]

    @classmethod
    async def open(cls, directory: str, netns_fd: int = -1) -> "NetProcess":
        """Find the running process or start one; an older one is replaced. Raises Unavailable."""
        handle = cls(directory, netns_fd)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        await handle._link.connection()
        learn = [handle._learn, handle.guards.learn, handle.names.learn]
        await succession.settle(handle._link, learn)
        return handle

    async def _learn(self) -> None:
        self._wanted = {entry.endpoint: entry for entry in await self.published()}

    def _needed(self) -> bool:
        return bool(self._wanted or self._outbound or self.guards.needed or self.names.needed)

    async def publish(
        self, endpoint: str, address: str, bindings: tuple[PortBinding, ...]
    ) -> tuple[PublishedPort, ...]:
        """Take host ports for an endpoint: all or none. Raises Conflict, NotPermitted."""
        answer = await self._link.ask(
            "publish", endpoint=endpoint, address=address, bindings=bindings
        )
        ports = protocol.read_ports(answer)
        self._wanted[endpoint] = Published(endpoint, address, ports)
        return ports

    async def withdraw(self, endpoint: str) -> None:
        """Give an endpoint's ports back."""
        self._wanted.pop(endpoint, None)
        await self._link.ask("withdraw", endpoint=endpoint)

    async def published(self) -> tuple[Published, ...]:
        """What the process publishes now."""
        return protocol.read_published(await self._link.ask("published"))

    async def outbound(self, gateways: Iterable[str]) -> Outbound:
        """Open the way out of the namespace; the filter must redirect to these ports."""
        listed = tuple(gateways)
        answer = await self._link.ask("outbound", gateways=listed)
        self._outbound = (listed, protocol.read_outbound(answer))
        return self._outbound[1]

    async def guard(self, wanted: Guarded) -> Outbound:
        """See PortPublisher."""
        return await self.guards.guard(wanted)

    async def release(self, endpoint: str) -> None:
        """See PortPublisher."""
        await self.guards.release(endpoint)

    async def guarded(self) -> tuple[tuple[Guarded, ...], Outbound | None]:
        """See PortPublisher."""
        return await self.guards.guarded()

    async def shutdown(self) -> None:
        """End the process, and with it every published port and outbound connection."""
        self._wanted.clear()
        self._outbound = None
        self.guards.forget()
        self.names.forget()
        with contextlib.suppress(Unavailable):
            await self._link.ask("shutdown")
        await self.close()

    async def close(self) -> None:
        """Let go of the process; it goes on."""
        await self._link.close()

    async def _take_over(self, send: Send) -> None:
        """Tell a process what it has to hold; to one that holds it already it says nothing new."""
        for endpoint, address, ports in self._wanted.values():
            bindings = [
                PortBinding(port.protocol, port.container_port, port.host_ip, port.host_port)
                for port in ports
            ]
            entry = {"endpoint": endpoint, "address": address, "bindings": bindings}
            with contextlib.suppress(Conflict):  # taken by somebody while nobody held it
                await send("publish", entry)
        if self._outbound is not None:
            gateways, opened = self._outbound
            await send("outbound", {"gateways": gateways, **opened._asdict()})
