"""The daemon's side of egress rules: remembers them for the network process's successor."""

import contextlib
from collections.abc import Callable
from typing import Any

from wherry.kit.errors import InvalidInput
from wherry.network import protocol
from wherry.network.egress.guards import Guarded
from wherry.network.ports import Outbound
from wherry.network.process_link import ProcessLink, Send

Denied = Callable[[dict[str, Any]], None]


class GuardsHandle:
    """See `driver.PortPublisher`; `denied` are told of each denial that the process tells."""

    def __init__(self, link: ProcessLink) -> None:
        self._link = link
        self._guarded: dict[str, Guarded] = {}
        self._ports: Outbound | None = None
        self.denied: list[Denied] = []
        link.told.append(self._told)

    @property
    def needed(self) -> bool:
        """Whether anybody has rules: without the process they reach nothing."""
        return bool(self._guarded)

    async def learn(self) -> None:
        """Take over what the process guards already, for an earlier daemon."""
        listed, ports = await self.guarded()
        self._guarded = {entry.endpoint: entry for entry in listed}
        self._ports = ports

    async def guard(self, wanted: Guarded) -> Outbound:
        """Apply rules to an address. Raises InvalidInput."""
        self._ports = protocol.read_outbound(await self._link.ask("guard", **self._fields(wanted)))
        self._guarded[wanted.endpoint] = wanted
        return self._ports

    async def release(self, endpoint: str) -> None:
        """Rules for an address end."""
        if self._guarded.pop(endpoint, None) is not None:
            await self._link.ask("release", endpoint=endpoint)

    async def guarded(self) -> tuple[tuple[Guarded, ...], Outbound | None]:
        """What the process guards now, and the ports for it."""
        listed, ports = await self._link.ask("guarded")
        read = tuple(map(protocol.read_guarded, listed))
        return read, protocol.read_outbound(ports) if ports else None

    def forget(self) -> None:
        """The process is about to be ended."""
        self._guarded.clear()

    async def take_over(self, send: Send) -> None:
        """Before anything else is opened: nobody may get out for want of rules."""
        for wanted in list(self._guarded.values()):
            with contextlib.suppress(InvalidInput):
                await send("guard", self._fields(wanted))

    def _fields(self, wanted: Guarded) -> dict[str, object]:
        ports = self._ports._asdict() if self._ports else {}
        return {"guarded": wanted, **ports}

    def _told(self, event: dict[str, Any]) -> None:
        if event["event"] == "egress-denied":
            for listener in self.denied:
                listener(event)
