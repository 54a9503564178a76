"""The daemon's side of the name servers in containers; see `driver.NameServer`."""

import contextlib
from collections.abc import Iterable

from wherry.kit.errors import InvalidInput
from wherry.linux import process as processes
from wherry.network import protocol
from wherry.network.dns.sandbox import Init
from wherry.network.driver import Sandbox
from wherry.network.names import NamedEndpoint, Resolving
from wherry.network.process_link import ProcessLink, Send


class NamesHandle:
    """Remembers what is served, for the network process's successor."""

    def __init__(self, link: ProcessLink) -> None:
        self._link = link
        self._served: dict[str, tuple[Resolving, Init]] = {}
        self._names: dict[str, tuple[NamedEndpoint, ...]] = {}

    @property
    def needed(self) -> bool:
        """Whether anybody is served."""
        return bool(self._served)

    async def learn(self) -> None:
        """Take over what the process serves already, from an earlier daemon."""
        served, names = protocol.read_serving(await self._link.ask("serving"))
        self._served = {resolving.container_id: (resolving, init) for resolving, init in served}
        self._names = names

    async def serve(self, resolving: Resolving, sandbox: Sandbox) -> None:
        """See NameServer."""
        try:
            init = Init(sandbox.pid, processes.start_time(sandbox.pid))
        except ProcessLookupError:
            raise InvalidInput(f"container {resolving.container_id} has ended") from None
        await self._link.ask("serve", resolving=resolving, init=init)
        self._served[resolving.container_id] = (resolving, init)

    async def names(self, network_id: str, endpoints: Iterable[NamedEndpoint]) -> None:
        """See NameServer."""
        listed = tuple(endpoints)
        if self._names.get(network_id, ()) == listed:
            return
        await self._link.ask("names", network=network_id, endpoints=listed)
        if listed:
            self._names[network_id] = listed
        else:
            self._names.pop(network_id, None)

    async def stop(self, container_id: str) -> None:
        """See NameServer."""
        if self._served.pop(container_id, None) is not None:
            await self._link.ask("stop_serving", container=container_id)

    def forget(self) -> None:
        """The process is about to be ended."""
        self._served.clear()
        self._names.clear()

    async def take_over(self, send: Send) -> None:
        """Tell a process whom it serves; to one that does so already it says nothing new."""
        for network, endpoints in self._names.items():
            await send("names", {"network": network, "endpoints": endpoints})
        for resolving, init in list(self._served.values()):
            with contextlib.suppress(InvalidInput):  # it has ended since
                await send("serve", {"resolving": resolving, "init": init})
