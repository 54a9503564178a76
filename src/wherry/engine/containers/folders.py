"""What a container has on disk: its snapshot and its folder. Blocking."""

import contextlib
import os
import shutil

from wherry.engine.engine import Engine
from wherry.engine.records import ContainerRecord
from wherry.kit.errors import NotFound


def make(engine: Engine, record: ContainerRecord) -> None:
    """The folder and a writable snapshot over the image."""
    bundle = engine.settings.folders.bundle(record.id)
    os.makedirs(os.path.join(bundle, "rootfs"), mode=0o711)
    chain = engine.catalog.get(record.image).chain
    engine.snapshots.prepare(record.id, chain[-1] if chain else None)


def remove(engine: Engine, id: str) -> None:
    """Both gone; what is gone already is fine."""
    with contextlib.suppress(NotFound):
        engine.snapshots.remove(id)
    folders = engine.settings.folders
    shutil.rmtree(folders.exec_dir(id), ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folders.bundle(id))
