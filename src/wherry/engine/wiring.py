"""The network drivers of one engine, and the process that holds its ports, put together."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from wherry.engine.settings import EngineSettings
from wherry.network.bridge import BridgeDriver
from wherry.network.builtin import HostDriver, NoneDriver
from wherry.network.driver import Network, NetworkDriver, Sandbox
from wherry.network.egress.guards import Guarded
from wherry.network.guards_handle import Denied
from wherry.network.names import NamedEndpoint, Resolving
from wherry.network.parent_driver import ParentDriver
from wherry.network.ports import Outbound, PortBinding, Published, PublishedPort
from wherry.network.process_handle import NetProcess
from wherry.network.process_link import ProcessLink
from wherry.network.sockets import BridgeSockets


class Wired(NamedTuple):
    """What `networking.Networking` works with."""

    drivers: Mapping[str, NetworkDriver]
    bridge: "BridgeNetworks"


class LazyPublisher:
    """The network process, started when the first container needs it."""

    def __init__(self, directory: str, netns_fd: int) -> None:
        self._directory = directory
        self._netns_fd = netns_fd
        self._process: NetProcess | None = None
        self.denied: list[Denied] = []
        """Who is told of what egress rules denied."""
        self._opening = asyncio.Lock()

    async def process(self) -> NetProcess:
        """The process's handle. Raises Unavailable."""
        async with self._opening:
            if self._process is None:
                self._process = await NetProcess.open(self._directory, self._netns_fd)
                self._process.guards.denied += self.denied
            return self._process

    async def publish(
        self, endpoint: str, address: str, bindings: tuple[PortBinding, ...]
    ) -> tuple[PublishedPort, ...]:
        """See PortPublisher."""
        return await (await self.process()).publish(endpoint, address, bindings)

    async def withdraw(self, endpoint: str) -> None:
        """See PortPublisher. Without a process there is nothing to withdraw."""
        if self._process is not None:
            await self._process.withdraw(endpoint)

    async def outbound(self, gateways: Iterable[str]) -> Outbound:
        """See PortPublisher."""
        return await (await self.process()).outbound(gateways)

    async def published(self) -> tuple[Published, ...]:
        """See PortPublisher."""
        return await (await self.process()).published()

    async def guard(self, wanted: Guarded) -> Outbound:
        """See PortPublisher."""
        return await (await self.process()).guard(wanted)

    async def release(self, endpoint: str) -> None:
        """See PortPublisher. Without a process nobody has rules."""
        if self._process is not None:
            await self._process.release(endpoint)

    async def guarded(self) -> tuple[tuple[Guarded, ...], Outbound | None]:
        """See PortPublisher."""
        return await (await self.process()).guarded()

    async def serve(self, resolving: Resolving, sandbox: Sandbox) -> None:
        """See NameServer."""
        await (await self.process()).names.serve(resolving, sandbox)

    async def names(self, network_id: str, endpoints: Iterable[NamedEndpoint]) -> None:
        """See NameServer."""
        await (await self.process()).names.names(network_id, endpoints)

    async def stop(self, container_id: str) -> None:
        """See NameServer. Without a process nobody is served."""
        if self._process is not None:
            await self._process.names.stop(container_id)

    def _is_there(self) -> bool:
        return ProcessLink(self._directory, self._netns_fd, lambda: False).alive()

    async def close(self, *, keep: bool) -> None:
        """Let go of the process, or end it: also one that only an earlier daemon has used."""
        if self._process is None and not keep and self._is_there():
            self._process = await NetProcess.open(self._directory, self._netns_fd)
        if self._process is not None:
            await (self._process.close() if keep else self._process.shutdown())
            self._process = None


class BridgeNetworks:
    """The bridge driver with what it needs, made when the first bridge is."""

    def __init__(self, settings: EngineSettings, engine_id: str) -> None:
        self._settings = settings
        self._engine_id = engine_id
        self.publisher = LazyPublisher(settings.folders.net, settings.engine_netns)
        self._sockets: BridgeSockets | None = None
        self._driver: BridgeDriver | None = None

    def driver(self) -> BridgeDriver:
        """The driver, with its sockets open. Raises OSError where the kernel refuses."""
        if self._driver is None:
            self._sockets = BridgeSockets.open(self._settings.engine_netns)
            self._driver = BridgeDriver(
                self._engine_id,
                self._sockets,
                self.publisher,
                own_netns=self._settings.engine_netns >= 0,
            )
        return self._driver

    def parents(self) -> ParentDriver:
        """The driver of macvlan and ipvlan. Raises OSError where the kernel refuses."""
        self.driver()
        assert self._sockets is not None
        own_netns = self._settings.engine_netns >= 0
        return ParentDriver(self._engine_id, self._sockets, own_netns=own_netns)

    async def close(self, networks: Iterable[Network], *, keep: bool) -> None:
        """Leave everything to running containers, or take bridges and rules away."""
        if self._driver is not None and not keep:
            for network in networks:
                bridge = network.driver == "bridge"
                await (self._driver if bridge else self.parents()).remove(network)
            await self._driver.remove_table()
        if self._sockets is not None:
            self._sockets.close()
        await self.publisher.close(keep=keep)


def wire(settings: EngineSettings, engine_id: str) -> Wired:
    """The drivers by name. Opens nothing yet."""
    return Wired({"host": HostDriver(), "null": NoneDriver()}, BridgeNetworks(settings, engine_id))
