"""The network drivers of one engine, and the process that holds its ports, put together."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from wherry.engine.settings import EngineSettings
from wherry.engine.spec.facts import Host
from wherry.network.bridge import BridgeDriver
from wherry.network.builtin import HostDriver, NoneDriver
from wherry.network.driver import Network, NetworkDriver
from wherry.network.ports import PortBinding, Published, PublishedPort
from wherry.network.process_handle import NetProcess
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

    async def process(self) -> NetProcess:
        """The process's handle. Raises Unavailable."""
        if self._process is None:
            self._process = await NetProcess.open(self._directory, self._netns_fd)
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

    async def published(self) -> tuple[Published, ...]:
        """See PortPublisher."""
        return await (await self.process()).published()

    async def close(self, *, keep: bool) -> None:
        """Let go of the process, or end it."""
        if self._process is not None:
            await (self._process.close() if keep else self._process.shutdown())
            self._process = None


class BridgeNetworks:
    """The bridge driver with what it needs, made when the first bridge is.

    A plain user's bridges are in a namespace without a way out: the network process opens one,
    and the filter sends the containers' traffic there.
    """

    def __init__(self, settings: EngineSettings, engine_id: str, host: Host) -> None:
        self._settings = settings
        self._engine_id = engine_id
        self._kernel_ports = host.ids == "real"
        self.publisher = LazyPublisher(settings.folders.net, settings.engine_netns)
        self._sockets: BridgeSockets | None = None
        self._driver: BridgeDriver | None = None

    def driver(self) -> BridgeDriver:
        """The driver, with its sockets open. Raises OSError where the kernel refuses."""
        if self._driver is None:
            self._sockets = BridgeSockets.open(self._settings.engine_netns)
            self._driver = BridgeDriver(
                self._engine_id, self._sockets, self.publisher, kernel_ports=self._kernel_ports
            )
        return self._driver

    async def open_way_out(self, networks: Iterable[Network]) -> None:
        """For a plain user: after this, containers reach the outside."""
        if self._kernel_ports or self._driver is None:
            return
        gateways = [network.gateway for network in networks if network.gateway]
        process = await self.publisher.process()
        self._driver.table.redirect(await process.outbound(gateways))

    async def close(self, networks: Iterable[Network], *, keep: bool) -> None:
        """Leave everything to running containers, or take bridges and rules away."""
        if self._driver is not None and not keep:
            for network in networks:
                await self._driver.remove(network)
            self._driver.table.remove()
        if self._sockets is not None:
            self._sockets.close()
        await self.publisher.close(keep=keep)


def wire(settings: EngineSettings, engine_id: str, host: Host) -> Wired:
    """The drivers by name. Opens nothing yet."""
    return Wired(
        {"host": HostDriver(), "null": NoneDriver()}, BridgeNetworks(settings, engine_id, host)
    )
