"""A name server without a network: it says what a container would be told."""

import asyncio
import os
from collections.abc import Iterable

from wherry.kit.errors import InvalidInput
from wherry.network.dns import message, zone
from wherry.network.dns.message import SERVER_FAILURE
from wherry.network.driver import Sandbox
from wherry.network.names import NamedEndpoint, Resolving
from wherry.testing.dns import A, Answer, question, read


class FakeNameServer:
    """Keeps what it was told. Nobody is asked for other names: those fail."""

    def __init__(self) -> None:
        self.served: dict[str, Resolving] = {}
        self._tables: dict[str, zone.Table] = {}

    async def serve(self, resolving: Resolving, sandbox: Sandbox) -> None:
        """See NameServer."""
        if not await asyncio.to_thread(os.path.exists, f"/proc/{sandbox.pid}"):
            raise InvalidInput(f"container {resolving.container_id} has ended")
        self.served[resolving.container_id] = resolving

    async def names(self, network_id: str, endpoints: Iterable[NamedEndpoint]) -> None:
        """See NameServer."""
        self._tables[network_id] = zone.Table(endpoints)

    async def stop(self, container_id: str) -> None:
        """See NameServer."""
        self.served.pop(container_id, None)

    def lookup(self, container_id: str, name: str, kind: int = A) -> Answer | str:
        """What a container would be told; an error's name where it is not served."""
        if container_id not in self.served:
            return "ConnectionRefusedError"
        query = message.read_query(question(name, kind))
        local = zone.decide(query, self.served[container_id], self._tables)
        if local is None:
            return read(message.answer(query, code=SERVER_FAILURE))
        return read(message.answer(query, local.records))
