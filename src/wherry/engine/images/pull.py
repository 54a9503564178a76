"""POST /images/create?fromImage=…: fetch from a registry, unpack, record with provenance."""

from collections.abc import Callable, Coroutine

import msgspec

from wherry.content import lease
from wherry.content.lease import Lease
from wherry.engine.collection import taking_layers
from wherry.engine.engine import Engine
from wherry.engine.images.arriving import Arrived, Arriving
from wherry.engine.images.unpack import unpack
from wherry.engine.records import ImageRecord, Provenance
from wherry.kit import clock
from wherry.kit.ids import short_id
from wherry.oci import digest as digests
from wherry.oci.digest import Digest
from wherry.oci.platform import Platform
from wherry.oci.reference import Reference
from wherry.remote.credentials import ANONYMOUS, Credentials
from wherry.remote.progress import Progress
from wherry.remote.pull import Options, Pulled

Report = Callable[[Progress], None]


async def pull(
    engine: Engine,
    reference: Reference,
    platform: Platform | None,
    credentials: Credentials | None,
    report: Report,
) -> ImageRecord:
    """Raises what the registry answered, in dockerd's words; Corrupt, StorageFull, Unavailable.

    Blobs that were complete when a pull failed are found again by the next one.
    """
    kept = await engine.lanes.files(lease.create, engine.settings.folders.content)
    try:
        async with taking_layers(engine):
            return await _pull(engine, reference, platform, credentials or ANONYMOUS, kept, report)
    finally:
        await engine.lanes.files(kept.release)


async def _pull(
    engine: Engine,
    reference: Reference,
    platform: Platform | None,
    credentials: Credentials,
    kept: Lease,
    report: Report,
) -> ImageRecord:
    """Layers are unpacked from the lowest up, while others still come."""

    def told(layer: str, status: str) -> None:
        report(Progress(_short(layer), status))

    def work(manifest: Digest, arrived: Arrived) -> Coroutine[object, object, ImageRecord]:
        return unpack(engine, manifest, told=told, arrived=arrived)

    arriving = Arriving(work)
    options = Options(platform, report, arriving.ready, arriving.begun)
    pulling = engine.remote.pull(reference, engine.blobs.leased(kept), options, credentials)
    pulled, record = await arriving.record(pulling)
    return await _recorded(engine, record, pulled, reference, report)


async def pull_all(
    engine: Engine,
    reference: Reference,
    platform: Platform | None,
    credentials: Credentials | None,
    report: Report,
) -> None:
    """Every tag of a repository, one after the other. Raises as `pull`, and NotFound."""
    tags = await engine.remote.tags(reference, credentials or ANONYMOUS)
    told: list[Progress] = []
    for tag in tags:

        def step(each: Progress) -> None:
            (told.append if _is_end(each) else report)(each)

        await pull(engine, reference.with_tag(tag), platform, credentials, step)
    changed = any("newer" in each.status for each in told)
    what = "Downloaded newer image" if changed else "Image is up to date"
    report(Progress("", f"Status: {what} for {reference.familiar}"))


def _is_end(step: Progress) -> bool:
    return step.status.startswith("Status: ")


async def _recorded(
    engine: Engine, record: ImageRecord, pulled: Pulled, reference: Reference, report: Report
) -> ImageRecord:
    known = engine.catalog.id_or_none(str(reference))
    record = msgspec.structs.replace(
        record,
        repo_digests=(f"{reference.familiar_repository}@{pulled.digest}",),
        provenance=(_provenance(pulled, reference),),
    )
    tags = (reference._replace(digest=None),) if reference.tag else ()
    added = await engine.catalog.add(record, *tags, action="pull")
    report(Progress("", f"Digest: {pulled.digest}"))
    if known == record.id:
        report(Progress("", f"Status: Image is up to date for {reference.familiar}"))
    else:
        report(Progress("", f"Status: Downloaded newer image for {reference.familiar}"))
    return added


def _short(layer: str) -> str:
    return short_id(digests.hex_of(digests.parse(layer)))


def _provenance(pulled: Pulled, reference: Reference) -> Provenance:
    return Provenance(
        reference=str(reference),
        registry=pulled.registry,
        index_digest=pulled.index,
        platform_digest=pulled.manifest,
        time=clock.now(),
    )
