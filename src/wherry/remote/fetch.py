"""Blobs from a registry into a store: resumed after a cut, hashed while they come."""

import asyncio
import contextlib
import re
from typing import Final, TypeVar

import aiohttp

from wherry.kit.errors import Conflict, Corrupt, NotFound, Unavailable, WherryError
from wherry.oci.blobs import BlobStore, Ingest
from wherry.oci.manifest import Descriptor
from wherry.remote import progress
from wherry.remote.errors import BlobUnknown, VerificationFailed
from wherry.remote.progress import Meter, Report
from wherry.remote.transport import NoConnection, Registry, Request, backoff

BATCH: Final = 1 << 20
"""Bytes handed to a thread at once: hashing and writing do not hold up the loop."""
_POLL: Final = 0.2
_RANGE = re.compile(r"bytes (\d+)-\d*/(\d+|\*)")

Result = TypeVar("Result")


async def fetch(
    registry: Registry,
    scopes: tuple[str, ...],
    repository: str,
    blob: Descriptor,
    store: BlobStore,
    report: Report = progress.silent,
) -> None:
    """Have a blob in the store. Nothing is sent where it is there; a partial one is resumed.

    Raises VerificationFailed, BlobUnknown, NoConnection, what the registry answers, and what the
    store raises (StorageFull).
    """
    meter = Meter(report, blob.digest, blob.size)
    while not await has(store, blob):
        try:
            ingest = await open_ingest(store, blob)
        except Conflict:  # another transfer brings it: wait, and take over should it give up
            await asyncio.sleep(_POLL)
            continue
        resumed = ingest.offset > 0
        with ingest:
            try:
                await _Transfer(registry, scopes, repository, blob, meter).run(ingest)
            except VerificationFailed:
                if not resumed:
                    raise
                continue  # what an earlier attempt left was bad and is gone now: once more
        break
    meter.say(progress.DOWNLOADED)


async def open_ingest(store: BlobStore, blob: Descriptor) -> Ingest:
    """In a thread: what is there already is hashed again. Raises Conflict, StorageFull."""
    opening = asyncio.ensure_future(
        asyncio.to_thread(store.writer, f"blob-{blob.digest}", expected=blob.digest, size=blob.size)
    )
    try:
        return await settled(opening)
    except asyncio.CancelledError:
        if not opening.exception():
            opening.result().close()
        raise


async def settled(work: asyncio.Future[Result]) -> Result:
    """Wait for a thread's work, also when cancelled: its file must not be closed under it."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([work])
        raise


async def has(store: BlobStore, blob: Descriptor) -> bool:
    """Whether the store has the blob."""
    try:
        await asyncio.to_thread(store.stat, blob.digest)
    except NotFound:
        return False
    return True


class _Transfer:
    """One blob on its way."""

    def __init__(
        self,
        registry: Registry,
        scopes: tuple[str, ...],
        repository: str,
        blob: Descriptor,
        meter: Meter,
    ) -> None:
        self._registry, self._scopes, self._blob, self._meter = registry, scopes, blob, meter
        self._urls = (f"/v2/{repository}/blobs/{blob.digest}", *blob.urls)

    async def run(self, ingest: Ingest) -> None:
        await self._fill(ingest)
        self._meter.say(progress.VERIFYING)
        try:
            await settled(asyncio.ensure_future(asyncio.to_thread(ingest.commit)))
        except Corrupt as error:
            raise VerificationFailed(
                f"filesystem layer verification failed for digest {self._blob.digest}: {error}"
            ) from error

    async def _fill(self, ingest: Ingest) -> None:
        """Try until all is there; attempts count only while nothing new comes."""
        attempt = 0
        while ingest.offset < self._blob.size or (attempt == 0 and self._blob.size == 0):
            before = ingest.offset
            try:
                await self._from_any(ingest)
                if ingest.offset >= self._blob.size:
                    return
                problem: WherryError = NoConnection(
                    f"{self._blob.digest}: the connection ended {self._missing(ingest)} bytes early"
                )
            except NoConnection as error:
                problem = error
            attempt = 1 if ingest.offset > before else attempt + 1
            if attempt >= self._registry.settings.attempts:
                raise problem
            await self._pause(attempt)

    def _missing(self, ingest: Ingest) -> int:
        return self._blob.size - ingest.offset

    async def _pause(self, attempt: int) -> None:
        delay = backoff(self._registry.settings, attempt)
        seconds = max(1, round(delay))
        self._meter.say(f"Retrying in {seconds} second{'' if seconds == 1 else 's'}")
        await asyncio.sleep(delay)

    async def _from_any(self, ingest: Ingest) -> None:
        """Foreign layers name further places; the registry itself is asked first."""
        *others, last = self._urls
        for url in others:
            with contextlib.suppress(NotFound, Unavailable):
                await self._from(url, ingest)
                return
        try:
            await self._from(last, ingest)
        except NotFound as error:
            raise BlobUnknown(f"blob {self._blob.digest}: {error}") from error

    async def _from(self, url: str, ingest: Ingest) -> None:
        headers = {"Range": f"bytes={ingest.offset}-"} if ingest.offset else {}
        request = Request("GET", url, self._scopes, headers, accept=(200, 206, 416))
        async with self._registry.open(request) as response:
            if not self._continues(response, ingest):
                ingest.restart()
                if response.status != 200:
                    return
            self._check_length(response, ingest)
            await self._take(response, ingest)

    def _continues(self, response: aiohttp.ClientResponse, ingest: Ingest) -> bool:
        """Whether the answer begins where we stopped."""
        if response.status == 206:
            match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            return match is not None and int(match[1]) == ingest.offset
        return response.status == 200 and ingest.offset == 0

    def _check_length(self, response: aiohttp.ClientResponse, ingest: Ingest) -> None:
        """A blob of another size can be refused before it is read."""
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and ingest.offset + int(length) != self._blob.size:
            total = ingest.offset + int(length)
            ingest.abort()
            raise VerificationFailed(
                f"blob {self._blob.digest} has {total} bytes at {response.url.host}, "
                f"{self._blob.size} were announced"
            )

    async def _take(self, response: aiohttp.ClientResponse, ingest: Ingest) -> None:
        batch: list[bytes] = []
        waiting = 0
        try:
            async for piece in response.content.iter_any():
                batch.append(piece)
                waiting += len(piece)
                if waiting >= BATCH:
                    full, batch, waiting = batch, [], 0
                    await self._write(ingest, full)
        finally:  # what came before a cut is kept
            await self._write(ingest, batch)

    async def _write(self, ingest: Ingest, batch: list[bytes]) -> None:
        if batch:
            data = b"".join(batch)
            await settled(asyncio.ensure_future(asyncio.to_thread(ingest.write, data)))
            self._meter.count(progress.DOWNLOADING, ingest.offset)
