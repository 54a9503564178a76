"""A blob on its way into the folder: resumable, checked, visible only by one rename.

`ingest/<hash of ref>/` holds `data` (the bytes so far, locked by flock while someone writes), `ref`
(for people and the collector) and `expected` (digest and size). flock belongs to the open file, so
it tells two writers in one process apart too and vanishes with a killed process.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from wherry.content.layout import blob_path, ingest_path
from wherry.kit import failpoints
from wherry.kit.errors import Conflict, Corrupt, InvalidInput, Unavailable
from wherry.kit.files import read_optional, sync_folder, write_atomic
from wherry.linux import writeback
from wherry.oci import digest as digests
from wherry.oci.blobs import Bytes
from wherry.oci.digest import Digest

CHUNK = 1 << 20
_WRITEBACK = 16 << 20
"""Bytes after which the disk is set to work, so that the `fsync` at the end is short."""


class IngestBusy(Conflict):
    """Another writer holds the same ref now."""


class DigestMismatch(Corrupt):
    """The bytes do not have the digest or the size that was promised."""


class StorageFull(Unavailable):
    """The file system, or a quota on it, has no room left."""


class FileIngest:
    """One ingest in the folder; see `wherry.oci.blobs.Ingest` for the protocol."""

    def __init__(self, root: str, ref: str, expected: Digest | None, size: int | None) -> None:
        """Open or resume. Raises IngestBusy, StorageFull."""
        self._root, self._ref = root, ref
        self._expected, self._size = expected, size
        self._folder = ingest_path(root, ref)
        self._offset = self._begun = 0
        self._hash = hashlib.new(digests.algorithm_of(expected) if expected else "sha256")
        self._file = _open_locked(self._folder, ref)
        try:
            self._resume()
        except BaseException:
            self.close()
            raise

    @property
    def offset(self) -> int:
        """Bytes already there."""
        return self._offset

    def write(self, data: Bytes) -> None:
        """Append. Raises DigestMismatch beyond the expected size, StorageFull."""
        view = memoryview(data).cast("B")
        if self._size is not None and self._offset + len(view) > self._size:
            self.abort()
            raise DigestMismatch(f"{self._name()} is larger than the {self._size} bytes announced")
        self._hash.update(view)
        self._offset += len(view)
        with self._clear_when_full():
            while view:
                view = view[os.write(self._file, view) :]
        if self._offset - self._begun >= _WRITEBACK:
            writeback.begin(self._file, self._begun, self._offset - self._begun)
            self._begun = self._offset

    def fileno(self) -> int:
        """The file that grows; to be read by position only."""
        return self._file

    def restart(self) -> None:
        """Drop what is there and begin at offset 0."""
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        self._offset = self._begun = 0
        self._hash = hashlib.new(self._hash.name)

    def commit(self, expected: Digest | None = None) -> Digest:
        """Check, make durable, make visible. The ingest is gone afterwards, also on failure."""
        actual = self._check(expected or self._expected)
        target = blob_path(self._root, actual)
        with self._clear_when_full():
            os.fsync(self._file)
            os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
            failpoints.reach("content.before-rename")
            _remove_notes(self._folder)
            os.rename(f"{self._folder}/data", target)
            os.fchmod(self._file, 0o444)  # not earlier: a plain user could not resume it
            sync_folder(os.path.dirname(target))
            failpoints.reach("content.after-rename")
        _remove_folder(self._folder)
        self.close()
        return actual

    def close(self) -> None:
        """Stop for now and keep the bytes. Closing twice does no harm."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def abort(self) -> None:
        """Remove the bytes. The lock is held until they are gone."""
        if self._file >= 0:
            _remove_notes(self._folder)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self._folder}/data")
            _remove_folder(self._folder)
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _name(self) -> str:
        return f"blob {self._expected}" if self._expected else f"ingest {self._ref!r}"

    def _resume(self) -> None:
        """Go on only where the earlier attempt wanted the same blob; its bytes are hashed again."""
        promise = f"{self._expected or ''} {'' if self._size is None else self._size}".encode()
        with self._clear_when_full():
            if read_optional(f"{self._folder}/expected") != promise:
                os.ftruncate(self._file, 0)
                write_atomic(f"{self._folder}/ref", self._ref.encode(), durable=False)
                write_atomic(f"{self._folder}/expected", promise, durable=False)
        while data := os.read(self._file, CHUNK):
            self._hash.update(data)
            self._offset += len(data)
        if self._size is not None and self._offset > self._size:
            self.restart()

    def _check(self, expected: Digest | None) -> Digest:
        actual = Digest(f"{self._hash.name}:{self._hash.hexdigest()}")
        if expected and digests.algorithm_of(expected) != self._hash.name:
            raise InvalidInput(f"{self._name()} was hashed by {self._hash.name}, not as {expected}")
        if self._size is not None and self._offset != self._size:
            self.abort()
            raise DigestMismatch(
                f"{self._name()} has {self._offset} bytes where {self._size} were announced"
            )
        if expected and expected != actual:
            self.abort()
            raise DigestMismatch(f"{self._name()}: expected digest {expected}, got {actual}")
        return actual

    @contextlib.contextmanager
    def _clear_when_full(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            self.abort()
            raise StorageFull(
                f"write {self._folder}: {os.strerror(error.errno).lower()} "
                f"(after {self._offset} bytes of {self._name()})"
            ) from error


def _remove_notes(folder: str) -> None:
    """Notes go before `data`, for from then on a new writer may begin in the same folder."""
    for name in ("ref", "expected"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{folder}/{name}")


def _remove_folder(folder: str) -> None:
    """The folder stays where a new writer is already in it."""
    with contextlib.suppress(OSError):
        os.rmdir(folder)


def _open_locked(folder: str, ref: str) -> int:
    """The data file, locked. A finished writer may remove the folder while we open: try again."""
    while True:
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            file = os.open(f"{folder}/data", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull(f"open {folder}: {os.strerror(error.errno).lower()}") from error
            raise
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise IngestBusy(
                f"ingest {ref!r} is being written by another, try again later"
            ) from None
        if _is_named(file, f"{folder}/data"):
            return file
        os.close(file)


def _is_named(file: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False
