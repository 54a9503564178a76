"""An image that is unpacked while a registry still sends its upper layers."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

from wherry.engine.records import ImageRecord
from wherry.oci.digest import Digest
from wherry.oci.manifest import Descriptor
from wherry.remote.pull import Pulled

Arrived = Callable[[int], Awaitable[object]]
"""Returns when the blob of the layer with that number (lowest is 0) is in the store."""
Unpack = Callable[[Digest, Arrived], Coroutine[object, object, ImageRecord]]
"""Makes the record of a manifest whose layers come."""


class Arriving:
    """Told by a pull of what came; it runs one unpacking for it."""

    def __init__(self, unpack: Unpack) -> None:
        self._unpack = unpack
        self._manifest: Digest | None = None
        self._came: list[asyncio.Event] = []
        self._tasks: list[asyncio.Task[ImageRecord]] = []
        self._fetch: asyncio.Future[Pulled] | None = None

    def begun(self, pulled: Pulled) -> None:
        """What the layers will be. Where a mirror failed, the next one may say something else."""
        if pulled.manifest == self._manifest:
            return
        for task in self._tasks:
            task.cancel()
        came = [asyncio.Event() for _ in pulled.layers]
        self._manifest, self._came = pulled.manifest, came
        work = self._unpack(pulled.manifest, lambda number: came[number].wait())
        self._tasks.append(asyncio.create_task(work))
        self._tasks[-1].add_done_callback(self._unpacked)

    def ready(self, number: int, _layer: Descriptor) -> None:
        """A blob is in the store."""
        self._came[number].set()

    def _unpacked(self, task: asyncio.Task[ImageRecord]) -> None:
        """Nothing more has to come for a layer that turned out to be bad."""
        if self._fetch and not task.cancelled() and task.exception():
            self._fetch.cancel()

    async def record(
        self, pulling: Coroutine[object, object, Pulled]
    ) -> tuple[Pulled, ImageRecord]:
        """Both done, or what failed first."""
        self._fetch = asyncio.create_task(pulling)
        try:
            pulled = await self._fetch
            return pulled, await self._tasks[-1]
        except asyncio.CancelledError:
            last = self._tasks[-1] if self._tasks else None
            if last and last.done() and not last.cancelled():
                last.result()
            raise
        finally:
            await _ended(self._fetch, *self._tasks)


async def _ended(*tasks: asyncio.Future[Pulled] | asyncio.Future[ImageRecord]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
