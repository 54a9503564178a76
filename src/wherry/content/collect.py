"""Mark and sweep: remove what neither a root nor a lease reaches."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from wherry.content import layout, lease
from wherry.content.files import FileStore
from wherry.kit import clock
from wherry.kit.errors import InvalidInput, NotFound, Unsupported
from wherry.oci import blobs
from wherry.oci import manifest as manifests
from wherry.oci.blobs import BlobStore
from wherry.oci.digest import Digest


class Collected(NamedTuple):
    """What was removed."""

    digests: tuple[Digest, ...]
    size: int
    """Bytes freed, partial ingests included."""


def collect(store: FileStore, roots: Iterable[Digest], *, ingest_age: int = lease.DAY) -> Collected:
    """Remove unreachable blobs, and ingests nobody wrote to for `ingest_age` nanoseconds.

    Roots are digests of indexes, manifests, configurations or layers; what a manifest names is
    kept with it. Roots must hold everything that is in use or under a lease: read them after all
    that was written before, since a blob without either is gone.
    """
    with lease.locked(store.root, fcntl.LOCK_EX):
        kept = reachable(store, {*roots, *lease.protected(store.root)})
        removed = [
            (digest, _remove(store, digest)) for digest in store.walk() if digest not in kept
        ]
    freed = sum(size for _, size in removed) + _sweep_ingests(store.root, ingest_age)
    return Collected(tuple(digest for digest, _ in removed), freed)


def reachable(store: BlobStore, roots: Iterable[Digest]) -> set[Digest]:
    """The roots and all that the manifests among them name, directly or not."""
    seen: set[Digest] = set()
    pending = list(roots)
    while pending:
        digest = pending.pop()
        if digest not in seen:
            seen.add(digest)
            pending.extend(_children(store, digest))
    return seen


def _children(store: BlobStore, digest: Digest) -> Iterator[Digest]:
    """What a blob names, if it is a manifest; anything else names nothing."""
    try:
        if store.stat(digest) > manifests.MAX_MANIFEST_BYTES:
            return
        data = blobs.read(store, digest, manifests.MAX_MANIFEST_BYTES)
        if data[:1] != b"{":
            return
        value = manifests.decode(data, manifests.media_type_of(data))
    except (NotFound, InvalidInput, Unsupported):
        return
    if isinstance(value, manifests.Index):
        yield from (entry.digest for entry in value.manifests)
        return
    yield value.config.digest
    yield from (entry.digest for entry in value.layers)


def _remove(store: FileStore, digest: Digest) -> int:
    path = layout.blob_path(store.root, digest)
    with contextlib.suppress(FileNotFoundError):
        size = os.stat(path).st_size
        os.unlink(path)
        return size
    return 0


def _sweep_ingests(root: str, age: int) -> int:
    """Ingests that are locked are being written, however old."""
    freed = 0
    for name in os.listdir(f"{root}/ingest"):
        folder = f"{root}/ingest/{name}"
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            # the age first: locking a fresh one would get in the way of the writer who makes it
            if _age_of(folder) >= age:
                freed += _remove_ingest(folder)
    return freed


def _age_of(folder: str) -> int:
    """Nanoseconds since the last write; a crash may leave a folder without data."""
    path = f"{folder}/data"
    return clock.now() - os.stat(path if os.path.exists(path) else folder).st_mtime_ns


def _remove_ingest(folder: str) -> int:
    if not os.path.exists(f"{folder}/data"):
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    file = os.open(f"{folder}/data", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = os.fstat(file).st_size
        shutil.rmtree(folder)
        return size
    finally:
        os.close(file)
