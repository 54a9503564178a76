"""The engine's zygote, started when it is first needed and again when it was killed."""

import asyncio

from wherry.monitor import zygote_handle
from wherry.monitor.zygote_handle import Zygote


class Zygotes:
    """At most one zygote at a time."""

    def __init__(self) -> None:
        self._current: Zygote | None = None
        self._lock = asyncio.Lock()

    async def get(self) -> Zygote:
        """A living zygote. Raises Unavailable where none can be started."""
        async with self._lock:
            if self._current is None or self._current.gone:
                self._current = await zygote_handle.start()
            return self._current

    async def close(self) -> None:
        """Let it leave; the monitors stay."""
        if self._current is not None and not self._current.gone:
            await self._current.stop()
