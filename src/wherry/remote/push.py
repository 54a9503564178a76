"""A whole image out of a blob store into a registry."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple
from urllib.parse import urlencode, urljoin

from wherry.kit.errors import InvalidInput
from wherry.kit.ids import short_id
from wherry.oci import blobs
from wherry.oci import digest as digests
from wherry.oci import manifest as oci
from wherry.oci.blobs import BlobStore
from wherry.oci.digest import Digest
from wherry.oci.manifest import Descriptor, Index
from wherry.oci.reference import Reference
from wherry.remote import progress
from wherry.remote.errors import (
    AccessDenied,
    LoginRequired,
    RegistryUnavailable,
    VerificationFailed,
)
from wherry.remote.progress import Meter, Progress, Report
from wherry.remote.pull import run_all
from wherry.remote.transport import NoConnection, Registry, Request, backoff

_PIECE = 1 << 20


class PushOptions(NamedTuple):
    """How to push."""

    report: Report = progress.silent
    mount_from: Callable[[Digest], Sequence[str]] = lambda _: ()
    """Repositories (paths) of the same registry that may have a blob already."""


class Pushed(NamedTuple):
    """What the registry has now."""

    reference: Reference
    registry: str
    digest: Digest
    size: int
    """Bytes of the manifest or index."""


async def push(
    registry: Registry, reference: Reference, target: Digest, store: BlobStore, options: PushOptions
) -> Pushed:
    """Blobs first, then manifests from the inside out, the tag last. See `Remote.push`."""
    if reference.digest:
        raise InvalidInput("cannot push a digest reference")
    sending = _Push(registry, reference, store, options)
    data = await sending.tree(target, reference.tag or "latest")
    return Pushed(reference, registry.endpoint.url, target, len(data))


class _Push:
    """One push: what of the registry and the store it goes between."""

    def __init__(
        self, registry: Registry, reference: Reference, store: BlobStore, options: PushOptions
    ) -> None:
        self._registry, self._reference = registry, reference
        self._store, self._options = store, options
        self._slots = asyncio.Semaphore(registry.settings.uploads)
        self._scopes = (f"repository:{reference.path}:pull,push",)

    async def tree(self, digest: Digest, name: str) -> bytes:
        """A manifest, or an index with all its manifests, put under a tag or its digest."""
        data = await asyncio.to_thread(blobs.read, self._store, digest, oci.MAX_MANIFEST_BYTES)
        media_type = oci.media_type_of(data)
        value = oci.decode(data, media_type)
        if isinstance(value, Index):
            for entry in value.manifests:
                await self.tree(entry.digest, entry.digest)
        else:
            for layer in value.layers:
                self._say(layer, progress.PREPARING)
            unique = {layer.digest: layer for layer in value.layers}
            await run_all([self._layer(layer) for layer in unique.values()])
            await self._blob(value.config, Meter(progress.silent, value.config.digest, 0))
        await self._put(data, media_type, digest, name)
        return data

    async def _layer(self, layer: Descriptor) -> None:
        if layer.urls:
            self._say(layer, progress.SKIPPED)
            return
        async with self._slots:
            await self._blob(layer, Meter(self._options.report, layer.digest, layer.size))

    async def _blob(self, blob: Descriptor, meter: Meter) -> None:
        if await self._exists(blob):
            meter.say(progress.PUSH_EXISTS)
            return
        for source in self._options.mount_from(blob.digest):
            if await self._mount(blob, source):
                meter.say(f"Mounted from {source}")
                return
        await self._upload(blob, meter)
        meter.say(progress.PUSHED)

    async def _exists(self, blob: Descriptor) -> bool:
        url = f"/v2/{self._reference.path}/blobs/{blob.digest}"
        request = Request("HEAD", url, self._scopes, accept=(200, 404))
        async with self._registry.open(request) as response:
            return response.status == 200

    async def _mount(self, blob: Descriptor, source: str) -> bool:
        """Ask the registry to take the blob from another repository of its own.

        A registry that will not begins an upload instead, which is left to expire.
        """
        query = urlencode({"mount": blob.digest, "from": source})
        url = f"/v2/{self._reference.path}/blobs/uploads/?{query}"
        scopes = (*self._scopes, f"repository:{source}:pull")
        try:
            request = Request("POST", url, scopes, accept=(201, 202))
            async with self._registry.open(request) as response:
                return response.status == 201
        except (AccessDenied, LoginRequired):
            return False  # we may not read there: send it ourselves

    async def _upload(self, blob: Descriptor, meter: Meter) -> None:
        attempt = 1
        while True:
            try:
                location = await self._begin()
                if self._registry.settings.upload_chunk:
                    location = await self._patch(location, blob, meter)
                await self._finish(location, blob, meter)
                return
            except NoConnection:
                if attempt >= self._registry.settings.attempts:
                    raise
                await asyncio.sleep(backoff(self._registry.settings, attempt))
                attempt += 1

    async def _begin(self) -> str:
        """Open an upload session; where it lives is for the registry to say."""
        url = f"/v2/{self._reference.path}/blobs/uploads/"
        async with self._registry.open(
            Request("POST", url, self._scopes, {"Content-Length": "0"}, accept=(202,))
        ) as response:
            return _location(str(response.url), response.headers.get("Location", ""))

    async def _patch(self, location: str, blob: Descriptor, meter: Meter) -> str:
        """All bytes in chunks (distribution-spec, Pushing a blob in chunks)."""
        chunk, at = self._registry.settings.upload_chunk, 0
        while at < blob.size:
            size = min(chunk, blob.size - at)
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Length": str(size),
                "Content-Range": f"{at}-{at + size - 1}",
            }
            body = self._reader(blob, meter, at, size)
            request = Request("PATCH", location, self._scopes, headers, body, (202,))
            async with self._registry.open(request) as response:
                location = _location(str(response.url), response.headers.get("Location", ""))
            at += size
        return location

    async def _finish(self, location: str, blob: Descriptor, meter: Meter) -> None:
        """The last PUT names the digest; without chunks it carries all bytes as well."""
        mark = "&" if "?" in location else "?"
        url = f"{location}{mark}{urlencode({'digest': blob.digest})}"
        size = 0 if self._registry.settings.upload_chunk else blob.size
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        body = self._reader(blob, meter, 0, size) if size else b""
        request = Request("PUT", url, self._scopes, headers, body, (201,))
        async with self._registry.open(request) as response:
            _check_digest(response.headers.get("Docker-Content-Digest", ""), blob.digest)

    def _reader(
        self, blob: Descriptor, meter: Meter, start: int, size: int
    ) -> Callable[[], AsyncIterator[bytes]]:
        async def read() -> AsyncIterator[bytes]:
            with await asyncio.to_thread(self._store.open, blob.digest) as file:
                file.seek(start)
                left = size
                while left and (data := await asyncio.to_thread(file.read, min(_PIECE, left))):
                    left -= len(data)
                    yield data
                    meter.count(progress.PUSHING, start + size - left)

        return read

    async def _put(self, data: bytes, media_type: str, digest: Digest, name: str) -> None:
        url = f"/v2/{self._reference.path}/manifests/{name}"
        headers = {"Content-Type": media_type}
        request = Request("PUT", url, self._scopes, headers, data, (200, 201))
        async with self._registry.open(request) as response:
            _check_digest(response.headers.get("Docker-Content-Digest", ""), digest)

    def _say(self, layer: Descriptor, status: str) -> None:
        self._options.report(Progress(short_id(digests.hex_of(layer.digest)), status))


def _location(base: str, location: str) -> str:
    if not location:
        raise RegistryUnavailable(f"{base}: the registry named no place to upload to")
    return urljoin(base, location)


def _check_digest(stated: str, wanted: Digest) -> None:
    """Registries that keep something else than they were sent are found out."""
    if stated and stated != wanted:
        raise VerificationFailed(f"sent {wanted}, the registry stored {stated}")
