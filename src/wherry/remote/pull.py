"""A whole image out of a registry into a blob store."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import NamedTuple

import msgspec

from wherry.kit.errors import NotFound, Unsupported
from wherry.oci import blobs
from wherry.oci import config as configs
from wherry.oci.blobs import BlobStore
from wherry.oci.config import ImageConfig
from wherry.oci.digest import Digest
from wherry.oci.manifest import DOCKER_CONFIG, OCI_CONFIG, Descriptor
from wherry.oci.platform import Platform, host, matches
from wherry.oci.reference import Reference
from wherry.remote import progress
from wherry.remote.errors import VerificationFailed
from wherry.remote.fetch import fetch, has
from wherry.remote.manifests import Resolution, pull_scope, resolve
from wherry.remote.progress import Meter, Report
from wherry.remote.transport import Registry

MAX_CONFIG_BYTES = 16 << 20


class Pulled(msgspec.Struct, frozen=True):
    """An image that is in the store now (or will be), and where it came from."""

    reference: Reference
    registry: str
    """URL of the endpoint that answered: a mirror, or the registry itself."""
    index: Digest | None
    """What the tag pointed at, where that was an index."""
    manifest: Digest
    config: Digest
    """Docker's image id."""
    layers: tuple[Descriptor, ...]

    @property
    def digest(self) -> Digest:
        """What the tag pointed at: the digest that `docker pull` shows."""
        return self.index or self.manifest


class Options(NamedTuple):
    """How to pull."""

    platform: Platform | None = None
    """None is this machine's, and then a single-platform image of another one is taken too."""
    report: Report = progress.silent
    layer_ready: Callable[[int, Descriptor], None] | None = None
    """Called with a layer's place (lowest is 0) as soon as its blob is in the store."""
    begun: Callable[[Pulled], None] | None = None
    """Called when all but the layers is in the store. Again, where a mirror fails after that."""


async def pull(
    registry: Registry, reference: Reference, store: BlobStore, options: Options
) -> Pulled:
    """Resolve, fetch configuration and layers, check all of it. See `Remote.pull` for errors."""
    platform = options.platform or host()
    found = await resolve(registry, reference, platform, store)
    what = str(reference.digest or reference.tag)
    options.report(progress.Progress(what, f"Pulling from {reference.path}"))
    await _config(registry, found, store, options)
    for document in reversed(found.documents):
        expected = document.descriptor.digest
        await asyncio.to_thread(blobs.put, store, document.data, expected)
    pulled = Pulled(
        reference=reference,
        registry=registry.endpoint.url,
        index=found.index.digest if found.index else None,
        manifest=found.documents[-1].descriptor.digest,
        config=found.manifest.config.digest,
        layers=found.manifest.layers,
    )
    if options.begun:
        options.begun(pulled)
    await _layers(registry, found, store, options)
    return pulled


async def _config(
    registry: Registry, found: Resolution, store: BlobStore, options: Options
) -> None:
    """Fetched first: it says whether the rest is worth fetching."""
    blob, reference = found.manifest.config, found.reference
    if blob.media_type not in (OCI_CONFIG, DOCKER_CONFIG, "application/octet-stream"):
        raise Unsupported(f"{reference.familiar} is no container image but has a {blob.media_type}")
    if blob.size > MAX_CONFIG_BYTES:
        raise VerificationFailed(f"configuration {blob.digest} of {blob.size} bytes is too large")
    await fetch(registry, pull_scope(reference), reference.path, blob, store)
    data = await asyncio.to_thread(blobs.read, store, blob.digest, MAX_CONFIG_BYTES)
    config = configs.decode(data)
    if len(config.rootfs.diff_ids) != len(found.manifest.layers):
        raise VerificationFailed("layers from manifest don't match image configuration")
    _check_platform(config, reference, options.platform)


def _check_platform(config: ImageConfig, reference: Reference, wanted: Platform | None) -> None:
    system = config.os or "linux"
    if system != "linux":
        raise Unsupported(
            f'cannot download image with operating system "{system}" when requesting "linux"'
        )
    actual = Platform(config.architecture, system, config.variant)
    if wanted is not None and not matches(wanted, actual):
        raise NotFound(
            f"image with reference {reference.familiar} was found but does not match the "
            f"specified platform: wanted {wanted}, actual: {actual}"
        )


async def _layers(
    registry: Registry, found: Resolution, store: BlobStore, options: Options
) -> None:
    """A layer that occurs twice is fetched once; the first failure ends the others."""
    places: dict[Digest, list[int]] = {}
    for number, layer in enumerate(found.manifest.layers):
        places.setdefault(layer.digest, []).append(number)
    slots = asyncio.Semaphore(registry.settings.downloads)
    tasks = []
    for numbers in places.values():
        layer = found.manifest.layers[numbers[0]]
        tasks.append(_layer(registry, found.reference, layer, numbers, store, options, slots))
    await run_all(tasks)


async def _layer(
    registry: Registry,
    reference: Reference,
    layer: Descriptor,
    numbers: list[int],
    store: BlobStore,
    options: Options,
    slots: asyncio.Semaphore,
) -> None:
    meter = Meter(options.report, layer.digest, layer.size)
    if await has(store, layer):
        meter.say(progress.EXISTS)
    else:
        meter.say(progress.PULLING)
        if slots.locked():
            meter.say(progress.WAITING)
        async with slots:
            scopes = pull_scope(reference)
            await fetch(registry, scopes, reference.path, layer, store, options.report)
    if options.layer_ready:
        for number in numbers:
            options.layer_ready(number, layer)


async def run_all(work: list[Coroutine[object, object, None]]) -> None:
    """All at once; the first error ends the others and is raised alone, not in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
