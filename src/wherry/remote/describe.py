"""What a reference points at in a registry, and for which platforms: nothing is pulled."""

from typing import NamedTuple

import msgspec

from wherry.kit.errors import WherryError
from wherry.oci import manifest as oci
from wherry.oci.manifest import Descriptor, Index, Manifest
from wherry.oci.platform import Platform
from wherry.oci.reference import Reference
from wherry.remote.errors import VerificationFailed
from wherry.remote.manifests import get, pull_scope
from wherry.remote.transport import Registry, Request

_MOST_CONFIG = 16 << 20


class Described(NamedTuple):
    """The manifest or index, and the platforms it is for."""

    descriptor: Descriptor
    platforms: tuple[Platform, ...]


async def describe(registry: Registry, reference: Reference) -> Described:
    """Raises ManifestUnknown, RepositoryUnknown, VerificationFailed."""
    document = await get(registry, reference)
    value = oci.decode(document.data, document.descriptor.media_type)
    if isinstance(value, Index):
        found = tuple(entry.platform for entry in value.manifests if entry.platform)
        return Described(document.descriptor, found)
    return Described(document.descriptor, (await _platform(registry, reference, value),))


async def _platform(registry: Registry, reference: Reference, manifest: Manifest) -> Platform:
    """From the configuration, a small blob."""
    url = f"/v2/{reference.path}/blobs/{manifest.config.digest}"
    async with registry.open(Request("GET", url, pull_scope(reference))) as response:
        data = await response.content.read(_MOST_CONFIG)
        while not response.content.at_eof() and len(data) < _MOST_CONFIG:
            data += await response.content.read(_MOST_CONFIG)
    try:
        return msgspec.json.decode(data, type=Platform)
    except (msgspec.DecodeError, WherryError) as error:
        raise VerificationFailed(f"configuration of {reference.familiar}: {error}") from error
