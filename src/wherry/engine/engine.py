"""The engine: its parts, named once. What it can do is in the files of the use cases."""

import asyncio
from dataclasses import dataclass, field

from wherry.content.files import FileStore
from wherry.engine.events import EventBus
from wherry.engine.execs.table import Execs
from wherry.engine.images.catalog import Catalog
from wherry.engine.journal import Journal
from wherry.engine.lanes import Lanes
from wherry.engine.locked_root import LockedRoot
from wherry.engine.networking import Networking
from wherry.engine.registry import Containers
from wherry.engine.settings import EngineSettings
from wherry.engine.spec.facts import Host
from wherry.engine.zygotes import Zygotes
from wherry.layer.worker_pool import WorkerPool
from wherry.ledger.ledger import Ledger
from wherry.remote.remote import Remote
from wherry.snapshot.snapshotter import Snapshotter
from wherry.volume.local import LocalVolumes
from wherry.volume.mounted import MountedVolumes

PROBES = 8


@dataclass
class Engine:
    """One engine over one root. Made by `opening.open_engine`; nothing of it is global."""

    settings: EngineSettings
    id: str
    host: Host
    lock: LockedRoot
    lanes: Lanes
    bus: EventBus
    ledger: Ledger
    journal: Journal
    containers: Containers
    catalog: Catalog
    blobs: FileStore
    snapshots: Snapshotter
    volumes: LocalVolumes
    mounted: MountedVolumes
    networking: Networking
    zygotes: Zygotes
    workers: WorkerPool
    remote: Remote
    execs: Execs = field(default_factory=Execs)
    kept: set[str] = field(default_factory=set)
    """Containers in the middle of a restart: not to be removed at their end."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    """Work that belongs to no request: exits, restarts, removals."""
    probing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PROBES))
    """Health checks that may be started at the same time."""
    unpacking: dict[str, asyncio.Lock] = field(default_factory=dict)
    collecting: asyncio.Lock = field(default_factory=asyncio.Lock)
    takers: int = 0
    """How many loads, pulls, imports and commits may make layers now."""
    spoilt: bool = False
    """Whether one of them failed and may have left layers of no image."""

    def __repr__(self) -> str:
        return f"Engine({self.settings.root!r})"

    def own(self, task: asyncio.Task[None]) -> None:
        """Keep a task until it is done; its failure is told to the loop's handler at once."""
        self.tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            context = {"message": f"a task of {self!r} failed", "exception": error, "task": task}
            task.get_loop().call_exception_handler(context)
