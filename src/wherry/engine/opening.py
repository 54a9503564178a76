"""Opening and closing an engine: every part made, in the order in which they need each other."""

import asyncio
import contextlib
import os

from wherry.content.files import FileStore
from wherry.engine import egress, host_facts, reattach
from wherry.engine.collection import collect_blobs
from wherry.engine.engine import Engine
from wherry.engine.events import EventBus
from wherry.engine.images.catalog import Catalog
from wherry.engine.journal import Journal
from wherry.engine.lanes import Lanes
from wherry.engine.locked_root import LockedRoot
from wherry.engine.networking import Networking
from wherry.engine.networks.record import NetworkRecord
from wherry.engine.records import ContainerRecord, ImageRecord, TagRecord, decode
from wherry.engine.registry import Containers
from wherry.engine.settings import EngineSettings
from wherry.engine.spec.facts import Host, IdMode
from wherry.engine.wiring import wire
from wherry.engine.zygotes import Zygotes
from wherry.kit.ids import new_id
from wherry.layer.worker_pool import WorkerPool
from wherry.ledger.ledger import Claim, Ledger
from wherry.ledger.sqlite import SqliteLedger
from wherry.remote.remote import Remote
from wherry.remote.settings import Settings
from wherry.snapshot.choose import choose
from wherry.snapshot.snapshotter import Snapshotter
from wherry.volume.local import LocalVolumes
from wherry.volume.mounted import MountedVolumes

EVENTS_KEPT = 100_000
WORKERS = 3
"""Layers unpacked at the same time."""


async def open_engine(settings: EngineSettings, ids: IdMode) -> Engine:
    """Take the root, read the ledger, find the containers again.

    Raises Conflict (another engine has the root), Corrupt, Unavailable, Unsupported.
    """
    folders = settings.folders
    for path in (folders.root, folders.exec_root, os.path.join(folders.exec_root, "c")):
        os.makedirs(path, mode=0o711, exist_ok=True)
    os.makedirs(folders.filters, mode=0o700, exist_ok=True)
    lock = LockedRoot(folders.lock)
    lanes, bus = Lanes(), EventBus()
    try:
        engine = await _assembled(settings, host_facts.look(ids), lock, lanes, bus)
    except BaseException:
        lanes.close()
        lock.close()
        raise
    await reattach.reattach(engine)
    engine.own(asyncio.create_task(_tidy(engine)))
    return engine


async def _assembled(
    settings: EngineSettings, host: Host, lock: LockedRoot, lanes: Lanes, bus: EventBus
) -> Engine:
    folders = settings.folders
    ledger = await lanes.ledger(SqliteLedger, folders.ledger)
    journal = Journal(ledger, lanes, bus)
    id = await lanes.ledger(_engine_id, ledger)
    snapshots = await lanes.files(_snapshotter, folders.snapshots)
    wired = wire(settings, id)
    engine = Engine(
        settings=settings,
        id=id,
        host=host,
        lock=lock,
        lanes=lanes,
        bus=bus,
        ledger=ledger,
        journal=journal,
        containers=Containers(journal),
        catalog=Catalog(journal),
        blobs=await lanes.files(FileStore, folders.content),
        snapshots=snapshots,
        volumes=await lanes.files(LocalVolumes, folders.volumes),
        mounted=MountedVolumes(),
        networking=Networking(journal, wired),
        zygotes=Zygotes(),
        workers=WorkerPool(WORKERS),
        remote=Remote(
            Settings(mirrors=settings.registry_mirrors, insecure=settings.insecure_registries)
        ),
    )
    egress.listen(engine, wired.bridge.publisher.denied)
    await _load(engine)
    return engine


async def _tidy(engine: Engine) -> None:
    """What interrupted loads and pulls of the last run left."""
    await collect_blobs(engine)


def _engine_id(ledger: Ledger) -> str:
    """Made once a root, so that rules and links of several engines can be told apart."""
    stored = ledger.get("engine", "id")
    if stored is None:
        stored = new_id().encode()
        ledger.commit([Claim("engine", "id", stored)])
    ledger.forget_events(keep=EVENTS_KEPT)
    return stored.decode()


def _snapshotter(folder: str) -> Snapshotter:
    snapshotter = choose(folder).snapshotter
    snapshotter.recover()
    return snapshotter


async def _load(engine: Engine) -> None:
    rows = await engine.lanes.ledger(engine.ledger.all, "container")
    engine.containers.load([decode(ContainerRecord, key, data) for key, data in rows])
    images = await engine.lanes.ledger(engine.ledger.all, "image")
    tags = await engine.lanes.ledger(engine.ledger.all, "tag")
    engine.catalog.load(
        [decode(ImageRecord, key, data) for key, data in images],
        [(key, decode(TagRecord, key, data)) for key, data in tags],
    )
    networks = await engine.lanes.ledger(engine.ledger.all, "network")
    await engine.networking.load(
        [decode(NetworkRecord, key, data) for key, data in networks],
        engine.settings.bridge,
        engine.settings.bridge_subnet,
    )


async def close(engine: Engine) -> bool:
    """Leave running containers running and give back the root. Whether some run.

    Every part is closed, also where one before it fails.
    """
    running = any(container.running for container in engine.containers)
    async with contextlib.AsyncExitStack() as parts:
        parts.callback(engine.lock.close)
        parts.callback(engine.ledger.close)
        parts.callback(engine.lanes.close)
        parts.push_async_callback(engine.networking.close, keep=running)
        parts.push_async_callback(engine.remote.close)
        parts.push_async_callback(engine.workers.close)
        parts.push_async_callback(engine.zygotes.close)
        parts.push_async_callback(_end_tasks, engine)
        engine.bus.close()
    return running


async def _end_tasks(engine: Engine) -> None:
    tasks = list(engine.tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for container in engine.containers:
        for monitor in (container.monitor, container.leaving):
            if monitor is not None:
                monitor.close()
