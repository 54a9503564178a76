"""POST /commit: a container's changes become a layer of a new image."""

import msgspec

from wherry.dockerapi.containers import ContainerConfig
from wherry.engine.collection import leased
from wherry.engine.containers import lifecycle
from wherry.engine.containers.container import Container
from wherry.engine.engine import Engine
from wherry.engine.images.unpack import unpack
from wherry.engine.records import ImageRecord
from wherry.engine.registry import happened
from wherry.image import changes as dockerfile
from wherry.image import mutate
from wherry.image.image import StoredImage
from wherry.image.layers import Layer
from wherry.kit import clock
from wherry.kit.ids import new_id
from wherry.layer import diff
from wherry.layer.diff import Written
from wherry.oci import manifest as manifests
from wherry.oci import reference as references
from wherry.oci.blobs import BlobStore, Ingest
from wherry.oci.config import HealthConfig, History, ProcessConfig
from wherry.oci.digest import Digest
from wherry.oci.manifest import Descriptor
from wherry.oci.reference import Reference


async def commit(
    engine: Engine,
    ref: str,
    *,
    repository: str = "",
    tag: str = "",
    comment: str = "",
    author: str = "",
    changes: list[str] | None = None,
    config: ContainerConfig | None = None,
    pause: bool = True,
) -> ImageRecord:
    """The new image. Raises NoSuchContainer, InvalidInput, StorageFull."""
    container = engine.containers.find(ref)
    target = _target(repository, tag)
    process = dockerfile.apply(_process(config or container.record.request.config()), changes or [])
    async with leased(engine) as store:
        layer = await _layer_of(engine, container, store, pause=pause)
        manifest = await engine.lanes.long(
            _image, store, container, layer, process, comment, author
        )
        record = await unpack(engine, manifest)
        record = msgspec.structs.replace(record, parent=container.record.image)
        added = await engine.catalog.add(record, *((target,) if target else ()), action="tag")
    told = happened(container.record, "commit", comment=comment, imageID=added.id)
    await engine.journal.commit([], told)
    return added


async def _layer_of(
    engine: Engine, container: Container, store: BlobStore, *, pause: bool
) -> Layer:
    """The changes, of a container that stands still meanwhile where it can."""
    freeze = pause and container.state.status == "running" and engine.host.cgroup != "none"
    if freeze:
        await lifecycle.pause(engine, container.id, held=True)
    try:
        return await engine.lanes.long(_written, engine, container, store)
    finally:
        if freeze:
            await lifecycle.unpause(engine, container.id)


def _target(repository: str, tag: str) -> Reference | None:
    if not repository:
        return None
    parsed = references.parse(repository)
    return (parsed.with_tag(tag) if tag else parsed).with_default_tag()


def _process(config: ContainerConfig) -> ProcessConfig:
    """The container's configuration as an image's."""
    names = set(ProcessConfig.__struct_fields__) & set(ContainerConfig.__struct_fields__)
    fields = {name: getattr(config, name) for name in names - {"healthcheck"}}
    check = config.healthcheck
    health = HealthConfig(**msgspec.structs.asdict(check)) if check is not None else None
    return ProcessConfig(healthcheck=health, **fields)


def _written(engine: Engine, container: Container, store: BlobStore) -> Layer:
    """The changes as a compressed layer in the content store. Blocking."""
    difference = engine.snapshots.difference(container.id)
    with store.writer(f"commit-{new_id()}") as ingest:
        try:
            written = diff.write(
                _Sink(ingest), difference.upper, difference.lowers, difference.style
            )
            ingest.commit(written.digest)
        except BaseException:
            ingest.abort()
            raise
    return _layer(written)


class _Sink:
    """An ingest as a place to write to."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    def write(self, data: bytes, /) -> None:
        """All of it."""
        self._ingest.write(data)


def _layer(written: Written) -> Layer:
    descriptor = Descriptor(manifests.OCI_LAYER_GZIP, written.digest, written.size)
    return Layer(descriptor, written.diff_id)


def _image(
    store: BlobStore,
    container: Container,
    layer: Layer,
    process: ProcessConfig,
    comment: str,
    author: str,
) -> Digest:
    base = StoredImage(store, container.record.manifest)
    created = clock.rfc3339(clock.now())
    command = [*(container.record.request.entrypoint or []), *(container.record.request.cmd or [])]
    step = History(created, " ".join(command), author, comment)
    config = msgspec.structs.replace(
        base.config,
        config=process,
        author=author or base.config.author,
        container=container.id,
    )
    return mutate.append_layer(base, layer, step, config).digest
