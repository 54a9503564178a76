"""Leases: what the collector must leave alone although no image names it yet.

A lease is a file: its first line says when it ends (nanoseconds since the epoch), each further line
is a digest. Appending a line is one write. The lines are not synced: after a power cut the blobs
are garbage, and that is right. `lock` orders lease and sweep: adding takes it shared, the collector
exclusively, so that no blob vanishes between "it is there" and "it is mine".
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from typing import NamedTuple

from wherry.kit import clock
from wherry.kit.errors import NotFound
from wherry.kit.files import read_optional, write_atomic
from wherry.kit.ids import new_id
from wherry.oci.digest import Digest

DAY = 24 * 3600 * clock.SECOND


class Lease(NamedTuple):
    """A promise to keep some blobs until it ends or is released."""

    root: str
    """The content folder."""
    name: str

    def add(self, digest: Digest) -> None:
        """Keep this blob, there or still to come. Raises NotFound where the lease has ended."""
        with locked(self.root, fcntl.LOCK_SH):
            try:
                file = os.open(self._path(), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            except FileNotFoundError:
                raise NotFound(f"lease {self.name} has ended or was released") from None
            try:
                os.write(file, f"{digest}\n".encode())
            finally:
                os.close(file)

    def release(self) -> None:
        """End it; releasing twice does no harm."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path())

    def _path(self) -> str:
        return f"{self.root}/leases/{self.name}"


def create(root: str, *, duration: int = DAY) -> Lease:
    """A new lease that ends by itself after `duration` nanoseconds."""
    lease = Lease(root, new_id())
    write_atomic(f"{root}/leases/{lease.name}", f"{clock.now() + duration}\n".encode())
    return lease


def protected(root: str) -> set[Digest]:
    """What living leases keep; ended ones are removed on the way. Call it with the lock held."""
    kept: set[Digest] = set()
    for entry in os.listdir(f"{root}/leases"):
        lines = (read_optional(f"{root}/leases/{entry}") or b"").decode().split("\n")
        if entry.endswith(".tmp"):
            continue
        if not lines[0].isdigit() or int(lines[0]) <= clock.now():
            Lease(root, entry).release()
            continue
        kept.update(Digest(line) for line in lines[1:-1])
    return kept


@contextlib.contextmanager
def locked(root: str, mode: int) -> Iterator[None]:
    """Hold the content folder's lock (`fcntl.LOCK_SH` or `LOCK_EX`)."""
    file = os.open(f"{root}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, mode)
        yield
    finally:
        os.close(file)
