"""What a container has on disk: its snapshot and its folder. Blocking."""

import contextlib
import os
import shutil

from wherry.engine.engine import Engine
from wherry.engine.records import ContainerRecord
from wherry.kit.errors import NotFound


def make(engine: Engine, record: ContainerRecord, parent: str | None) -> None:
    """The folder and a writable snapshot over its parent."""
    bundle = engine.settings.folders.bundle(record.id)
    os.makedirs(os.path.join(bundle, "rootfs"), mode=0o711)
    engine.snapshots.prepare(record.id, parent)


def remove(engine: Engine, id: str) -> None:
    """Both gone; what is gone already is fine."""
    with contextlib.suppress(NotFound):
        engine.snapshots.remove(id)
    folders = engine.settings.folders
    shutil.rmtree(folders.exec_dir(id), ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folders.bundle(id))
