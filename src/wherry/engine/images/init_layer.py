"""The layer between an image and its containers: what the engine itself mounts over.

Files and directories under /etc, /dev and so on that are only mount points must not show up as a
container's own changes, in `diff` and in `commit`. They are made once an image, in a snapshot on
top of its layers, and containers stand on that.
"""

import asyncio
import contextlib
import os

from wherry.engine import rootfs, storage
from wherry.engine.engine import Engine
from wherry.engine.records import ImageRecord
from wherry.kit.errors import Conflict
from wherry.linux.path import make_directories_in_root, open_in_root
from wherry.oci import digest as digests

FOLDERS = ("dev/pts", "dev/shm", "dev/mqueue", "proc", "sys")
FILES = (".dockerenv", "etc/resolv.conf", "etc/hosts", "etc/hostname", "dev/console")
LINK = ("etc/mtab", "/proc/mounts")


def name_of(image: ImageRecord) -> str:
    """The snapshot's name."""
    return f"init-{digests.hex_of(image.chain[-1])}" if image.chain else "init-scratch"


async def parent_for(engine: Engine, image: ImageRecord) -> str | None:
    """What a container of the image stands on; the layer is made if it is not there.

    The copying snapshotter would copy the whole image once more for it, so it has none.
    """
    top = image.chain[-1] if image.chain else None
    if engine.snapshots.style == "copy":
        return top
    name = name_of(image)
    async with engine.unpacking.setdefault(name, asyncio.Lock()):
        if not await engine.lanes.files(storage.exists, engine.snapshots, name):
            await engine.lanes.files(_make, engine, name, top)
    return name


def _make(engine: Engine, name: str, top: str | None) -> None:
    key = f"unpack-{name}"
    storage.discard(engine.snapshots, key)
    mounts = engine.snapshots.prepare(key, top)
    with rootfs.opened(mounts) as root:
        for path in FOLDERS:
            os.close(make_directories_in_root(root, path))
        for path in FILES:
            _touch(root, path)
        _link(root, *LINK)
    engine.snapshots.commit(name, key)


def _touch(root: int, path: str) -> None:
    """An empty file where there is nothing; an image may have links there, which stay."""
    os.close(make_directories_in_root(root, os.path.dirname(path) or "."))
    with contextlib.suppress(FileExistsError, FileNotFoundError, IsADirectoryError):
        os.close(open_in_root(root, path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o755))


def _link(root: int, path: str, target: str) -> None:
    folder = make_directories_in_root(root, os.path.dirname(path) or ".")
    try:
        with contextlib.suppress(FileExistsError):
            os.symlink(target, os.path.basename(path), dir_fd=folder)
    finally:
        os.close(folder)


def remove(engine: Engine, image: ImageRecord) -> bool:
    """Remove it with its image; False where a container still stands on it."""
    try:
        storage.discard(engine.snapshots, name_of(image))
    except Conflict:
        return False
    return True
