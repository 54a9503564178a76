"""Layers of an archive that are unpacked while they still arrive.

Where a layer belongs is often said at an archive's end only, and an overlay's layer does not
depend on what is below it, but for two things: the metadata of directories that its archive
forgot, and of its root. So each large member is tried as a layer, in a process beside the
receiving one, into a snapshot without a parent. When its digest has been checked and its place is
known, the snapshot is put there (`Snapshotter.adopt`); what turns out to be something else is
thrown away. A layer that an image here has already is not tried, where its name tells; where only
its digest does, the attempt ends with it.
"""

import asyncio
import os
from collections.abc import Mapping
from typing import NamedTuple

from wherry.engine import storage
from wherry.engine.engine import Engine
from wherry.image.shelf import Arrival
from wherry.kit.errors import WherryError
from wherry.kit.ids import new_id
from wherry.layer.apply import Applied
from wherry.layer.growing import Teller
from wherry.layer.worker_pool import WorkerPool
from wherry.oci.digest import Digest

WORKERS = 2
MOST = 128
"""Layers of one archive that are tried: each holds a snapshot, and two files until it is done."""


class Staged(NamedTuple):
    """An unpacked layer under the key of an active snapshot."""

    key: str
    applied: Applied


class Ahead:
    """The layers of one archive. A stalled upload stalls its own workers only."""

    def __init__(self, engine: Engine, known: Mapping[Digest, Digest]) -> None:
        """To be made in the loop's thread; nothing is started yet.

        known: blobs that are unpacked already, with their diff ids.
        """
        self._engine = engine
        self._known = known
        self._loop = asyncio.get_running_loop()
        self._workers = WorkerPool(WORKERS)
        self._tasks: dict[str, asyncio.Task[Staged | None]] = {}
        self._keys: dict[Digest, str] = {}
        self._tried = 0

    def watch(self, data: int, head: bytes, named: Digest | None) -> Arrival | None:
        """A member that begins with `head` arrives in the file `data`. For another thread."""
        if data < 0 or head[:1] == b"{" or self._tried >= MOST or named in self._known:
            return None
        if self._engine.snapshots.style == "copy":
            return None
        self._tried += 1
        reading, writing = os.pipe2(os.O_CLOEXEC)
        key = f"unpack-ahead-{new_id()}"
        self._loop.call_soon_threadsafe(self._start, key, os.dup(data), reading)
        return _Arriving(self, key, Teller(writing))

    def _start(self, key: str, data: int, notices: int) -> None:
        self._tasks[key] = asyncio.create_task(self._unpack(key, data, notices))

    def know(self, digest: Digest, key: str) -> None:
        """The member of that key has been checked and is this blob. For another thread."""
        self._loop.call_soon_threadsafe(self._know, digest, key)

    def _know(self, digest: Digest, key: str) -> None:
        if digest in self._known:
            self._tasks[key].cancel()
        else:
            self._keys.setdefault(digest, key)

    def diff_id(self, blob: Digest) -> Digest | None:
        """What a blob unpacks to; None where it was not unpacked here. Blocks another thread."""
        if blob in self._known:
            return self._known[blob]
        return asyncio.run_coroutine_threadsafe(self._diff_id(blob), self._loop).result()

    async def _diff_id(self, blob: Digest) -> Digest | None:
        staged = await self._staged(blob)
        return staged.applied.diff_id if staged else None

    async def _staged(self, blob: Digest) -> Staged | None:
        task = self._tasks.get(self._keys.get(blob, ""))
        staged = await asyncio.shield(task) if task else None
        return staged and staged._replace(applied=staged.applied.of(blob))

    async def take(self, blob: Digest, parent: str | None) -> Staged | None:
        """The unpacked layer on its parent, from now on the caller's; None: unpack it yourself."""
        staged = await self._staged(blob)
        if staged is None or (parent is not None and staged.applied.forgotten):
            return None
        del self._tasks[self._keys.pop(blob)]
        try:
            if parent is not None:
                adopt, rooted = self._engine.snapshots.adopt, staged.applied.rooted
                await self._engine.lanes.files(adopt, staged.key, parent, like_parent=not rooted)
        except BaseException:
            await self._discard(staged.key)
            raise
        return staged

    async def _unpack(self, key: str, data: int, notices: int) -> Staged | None:
        """None where it is no layer, or a broken one: that is found out again, and told, later."""
        snapshots, lanes = self._engine.snapshots, self._engine.lanes
        try:
            await lanes.files(snapshots.prepare, key, None)
            applied = await self._workers.apply(
                (data, notices),
                await lanes.files(snapshots.fill, key),
                whiteouts=snapshots.style,
                owners=self._engine.host.ids == "real",
            )
        except WherryError:
            await self._discard(key)
            return None
        except BaseException:
            await asyncio.shield(self._discard(key))
            raise
        finally:
            os.close(data)
            os.close(notices)
        return Staged(key, applied)

    async def _discard(self, key: str) -> None:
        # not in the lane of long work: who waits for us may fill it
        await self._engine.lanes.files(storage.discard, self._engine.snapshots, key)

    async def close(self) -> None:
        """Throw away what nobody took."""
        for task in self._tasks.values():
            task.cancel()
        left = await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for staged in left:
            if isinstance(staged, Staged):
                await self._discard(staged.key)
        await self._workers.close()


class _Arriving:
    """What the receiving thread tells of one member."""

    def __init__(self, ahead: Ahead, key: str, teller: Teller) -> None:
        self._ahead, self._key, self._teller = ahead, key, teller

    def grown(self, size: int) -> None:
        self._teller.grown(size)

    def complete(self, size: int) -> None:
        self._teller.complete(size)

    def checked(self, digest: Digest) -> None:
        self._ahead.know(digest, self._key)

    def close(self) -> None:
        self._teller.close()
