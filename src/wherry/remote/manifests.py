"""From a reference to the manifest of one platform, every step checked by its digest."""

import hashlib
from typing import NamedTuple

import aiohttp
import msgspec

from wherry.kit.errors import InvalidInput, NotFound, Unsupported, WherryError
from wherry.oci import blobs
from wherry.oci import digest as digests
from wherry.oci import manifest as oci
from wherry.oci.blobs import BlobStore
from wherry.oci.digest import Digest
from wherry.oci.manifest import Descriptor, Index, Manifest
from wherry.oci.platform import Platform
from wherry.oci.reference import Reference
from wherry.remote.errors import VerificationFailed
from wherry.remote.transport import Registry, Request

_ACCEPT = ", ".join((oci.OCI_INDEX, oci.DOCKER_INDEX, oci.OCI_MANIFEST, oci.DOCKER_MANIFEST))
_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+"
_VAGUE = ("", "application/json", "application/octet-stream", "text/plain")
_MOST_NESTING = 8


class Document(NamedTuple):
    """A manifest or an index with the bytes it came as."""

    descriptor: Descriptor
    data: bytes


class Resolution(msgspec.Struct, frozen=True):
    """The way from a reference to a platform's manifest."""

    reference: Reference
    documents: tuple[Document, ...]
    """Outermost first; the last one is the image's manifest."""
    manifest: Manifest

    @property
    def index(self) -> Descriptor | None:
        """What the tag points at, where that is an index."""
        return self.documents[0].descriptor if len(self.documents) > 1 else None


def pull_scope(reference: Reference) -> tuple[str, ...]:
    """The token scope for reading a repository."""
    return (f"repository:{reference.path}:pull",)


async def head(registry: Registry, reference: Reference) -> Descriptor:
    """What a tag or digest points at, for a HEAD's price where the registry can.

    Docker Hub does not count a HEAD as a pull. Raises ManifestUnknown, RepositoryUnknown,
    AccessDenied, LoginRequired, NoConnection, RateLimited, Unsupported (schema 1).
    """
    found = await _ask_head(registry, reference)
    return found or (await get(registry, reference)).descriptor


async def get(registry: Registry, reference: Reference) -> Document:
    """Fetch and check a manifest or index. Raises as `head`, and VerificationFailed."""
    request = _request("GET", reference)
    async with registry.open(request) as response:
        media_type = _media_type(response, reference)
        data = await _read(response, reference)
        stated = response.headers.get("Docker-Content-Digest", "")
    for promise in (reference.digest, stated):
        _verify(data, promise)
    algorithm = digests.algorithm_of(reference.digest or Digest(stated or "sha256:"))
    digest = Digest(f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}")
    claimed = _claimed(data, reference)
    if media_type in _VAGUE:
        media_type = claimed
    if claimed != media_type:
        raise VerificationFailed(
            f"manifest {digest} calls itself {claimed}, the registry calls it {media_type}"
        )
    return Document(Descriptor(media_type, digest, len(data)), data)


async def resolve(
    registry: Registry, reference: Reference, platform: Platform, store: BlobStore | None = None
) -> Resolution:
    """Follow indexes to the platform's manifest; what the store has is not fetched again.

    Raises as `get`, and NotFound where no entry is for the platform.
    """
    top = await head(registry, reference)
    documents = [await _document(registry, reference, top, store)]
    while True:
        value = _decode(documents[-1], reference)
        if isinstance(value, Manifest):
            return Resolution(reference, tuple(documents), value)
        if len(documents) > _MOST_NESTING:
            raise InvalidInput(f"{reference.familiar}: indexes are nested too deep")
        entry = choose(value, platform)
        documents.append(await _document(registry, reference, entry, store))


def choose(index: Index, platform: Platform) -> Descriptor:
    """The platform's entry, or the only one that does not say what it is for."""
    try:
        return oci.select(index, platform)
    except NotFound:
        unnamed = [entry for entry in index.manifests if entry.platform is None]
        if len(unnamed) != 1:
            raise
        return unnamed[0]


async def _ask_head(registry: Registry, reference: Reference) -> Descriptor | None:
    """None where only a GET can tell: no digest given, no HEAD offered, an error without words."""
    accept = (200, 400, 404, 405, 501)
    async with registry.open(_request("HEAD", reference)._replace(accept=accept)) as response:
        stated = response.headers.get("Docker-Content-Digest", "")
        size = response.headers.get("Content-Length", "")
        media_type = _media_type(response, reference) if response.status == 200 else ""
        if response.status != 200 or not stated or media_type in _VAGUE or not size.isdecimal():
            return None
    digest = digests.parse(stated)
    if reference.digest and digest != reference.digest:
        raise VerificationFailed(f"asked for {reference.digest}, the registry offers {digest}")
    return Descriptor(media_type, digest, int(size))


def _request(method: str, reference: Reference) -> Request:
    what = reference.digest or reference.tag or "latest"
    url = f"/v2/{reference.path}/manifests/{what}"
    return Request(method, url, pull_scope(reference), {"Accept": _ACCEPT})


async def _document(
    registry: Registry, reference: Reference, entry: Descriptor, store: BlobStore | None
) -> Document:
    if store is not None:
        try:
            return Document(entry, blobs.read(store, entry.digest, oci.MAX_MANIFEST_BYTES))
        except NotFound:
            pass  # the usual case: it is to be fetched
    found = await get(registry, reference._replace(tag=None, digest=entry.digest))
    if found.descriptor.size != entry.size:
        raise VerificationFailed(
            f"manifest {entry.digest} has {found.descriptor.size} bytes, not {entry.size}"
        )
    return Document(entry, found.data)


async def _read(response: aiohttp.ClientResponse, reference: Reference) -> bytes:
    data = bytearray()
    async for piece in response.content.iter_any():
        data += piece
        if len(data) > oci.MAX_MANIFEST_BYTES:
            raise InvalidInput(
                f"manifest of {reference.familiar} is larger than {oci.MAX_MANIFEST_BYTES} bytes"
            )
    return bytes(data)


def _verify(data: bytes, promise: str | None) -> None:
    if not promise:
        return
    algorithm = digests.algorithm_of(digests.parse(promise))
    if f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}" != promise:
        raise VerificationFailed(f"manifest verification failed for digest {promise}")


def _media_type(response: aiohttp.ClientResponse, reference: Reference) -> str:
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
    if media_type.startswith(_SCHEMA1):
        raise _schema1(reference)
    if media_type not in (*_VAGUE, *oci.INDEX_TYPES, *oci.MANIFEST_TYPES):
        raise Unsupported(f"unsupported media type {media_type} for {reference.familiar}")
    return media_type


def _claimed(data: bytes, reference: Reference) -> str:
    """By its own word, or by its shape. Schema 1 has neither and another version number."""
    if b'"fsLayers"' in data and b'"schemaVersion": 1' in data.replace(b":1", b": 1"):
        raise _schema1(reference)
    return oci.media_type_of(data)


def _schema1(reference: Reference) -> WherryError:
    return Unsupported(
        f"{reference.familiar} is in Docker's manifest format version 2 schema 1, which is not "
        "supported: ask its author to push it again with a current tool (schema 2 or OCI)"
    )


def _decode(document: Document, reference: Reference) -> Manifest | Index:
    try:
        return oci.decode(document.data, document.descriptor.media_type)
    except InvalidInput as error:
        raise VerificationFailed(f"manifest of {reference.familiar}: {error}") from error
