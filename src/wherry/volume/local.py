"""Local volumes: `ROOT/<name>/_data`, and `volume.json` beside it.

A volume is made under a temporary name and renamed, removed by a rename and then deleted; names
that begin with a dot are garbage of a crash and go when the root is opened.
"""

import contextlib
import os
import re
import threading
from collections.abc import Iterator, Mapping

import msgspec

from wherry.kit import clock
from wherry.kit.errors import Corrupt, InvalidInput, NotFound
from wherry.kit.failpoints import reach
from wherry.kit.files import read_optional, sync_folder, write_atomic
from wherry.kit.ids import new_id
from wherry.linux.mount import Mount
from wherry.linux.tree import Usage, content_size, remove_path, usage
from wherry.volume.options import check, to_mount

_FILLING = "filling"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}")


class Volume(msgspec.Struct, frozen=True):
    """A volume. `created` in nanoseconds; `path` is the directory that containers see."""

    name: str
    path: str
    created: int
    labels: dict[str, str]
    options: dict[str, str]
    anonymous: bool
    mount: Mount | None


class _Record(msgspec.Struct, frozen=True):
    """volume.json."""

    created: int
    labels: dict[str, str] = {}
    options: dict[str, str] = {}
    anonymous: bool = False


class LocalVolumes:
    """The volumes of one root, which belongs to one process."""

    def __init__(self, root: str) -> None:
        self._root = os.path.abspath(root)
        self._lock = threading.RLock()
        os.makedirs(self._root, 0o711, exist_ok=True)
        self.recover()

    def create(
        self,
        name: str = "",
        *,
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        anonymous: bool = False,
    ) -> Volume:
        """Make a volume; without a name it gets a random one.

        An existing volume is returned as it is, whatever its options, as dockerd does. Raises
        InvalidInput (name, options).
        """
        name = name or new_id()
        check_name(name)
        try:
            check(options or {})
        except InvalidInput as error:
            raise InvalidInput(f"create {name}: {error}") from error
        record = _Record(clock.now(), dict(labels or {}), dict(options or {}), anonymous)
        with self._lock:
            if os.path.isdir(self._folder(name)):
                return self.inspect(name)
            self._make(name, record)
        return self._volume(name, record)

    def _make(self, name: str, record: _Record) -> None:
        temporary = f"{self._root}/.new-{new_id()[:12]}"
        os.mkdir(temporary, 0o701)
        try:
            os.mkdir(f"{temporary}/_data", 0o755)
            os.chmod(f"{temporary}/_data", 0o755)
            write_atomic(f"{temporary}/volume.json", msgspec.json.encode(record))
            reach("volume.create")
            os.rename(temporary, self._folder(name))
        except BaseException:
            remove_path(temporary)
            raise
        sync_folder(self._root)

    def inspect(self, name: str) -> Volume:
        """Raises NotFound, Corrupt."""
        folder = self._folder(name)
        if not _NAME.fullmatch(name) or not os.path.isdir(f"{folder}/_data"):
            raise NotFound(f"get {name[:300]}: no such volume")
        return self._volume(name, self._read(name, read_optional(f"{folder}/volume.json")))

    def _read(self, name: str, data: bytes | None) -> _Record:
        if data is None:  # a directory that somebody put here by hand is a volume for Docker too
            return _Record(os.stat(self._folder(name)).st_mtime_ns)
        try:
            return msgspec.json.decode(data, type=_Record)
        except msgspec.DecodeError as error:
            raise Corrupt(f"{self._folder(name)}/volume.json: {error}") from error

    def list(self) -> list[Volume]:
        """All volumes by name."""
        names = [name for name in os.listdir(self._root) if _NAME.fullmatch(name)]
        return [
            self.inspect(name)
            for name in sorted(names)
            if os.path.isdir(f"{self._root}/{name}/_data")
        ]

    def remove(self, name: str) -> None:
        """Delete a volume with its content. Raises NotFound, OSError (EBUSY: it is mounted).

        Whether a container uses it is the caller's question.
        """
        with self._lock:
            self.inspect(name)
            gone = f"{self._root}/.gone-{new_id()[:12]}"
            os.rename(self._folder(name), gone)
        sync_folder(self._root)
        reach("volume.remove")
        remove_path(gone)

    def usage(self, name: str) -> Usage:
        """What the volume's files take."""
        return usage(self.inspect(name).path)

    def content_size(self, name: str) -> int:
        """Bytes in the volume's files, as Docker counts them."""
        return content_size(self.inspect(name).path)

    @contextlib.contextmanager
    def filling(self, name: str) -> Iterator[None]:
        """While an empty volume gets its first content: a failure or a crash empties it again.

        Not where it stands for a mount: what is behind that is not ours to delete.
        """
        volume = self.inspect(name)
        if volume.mount is not None:
            yield
            return
        note = self._note(name)
        write_atomic(note, b"")
        try:
            yield
        except BaseException:
            _empty(volume.path)
            os.unlink(note)
            raise
        os.unlink(note)

    def recover(self) -> int:
        """Remove what a crash left behind; how many things that were."""
        stale = [name for name in os.listdir(self._root) if name.startswith((".new-", ".gone-"))]
        for name in stale:
            remove_path(f"{self._root}/{name}")
        half = [name for name in os.listdir(self._root) if os.path.exists(self._note(name))]
        for name in half:
            _empty(f"{self._folder(name)}/_data")
            os.unlink(self._note(name))
        return len(stale) + len(half)

    def _note(self, name: str) -> str:
        return f"{self._folder(name)}/{_FILLING}"

    def _folder(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _volume(self, name: str, record: _Record) -> Volume:
        return Volume(
            name,
            f"{self._folder(name)}/_data",
            record.created,
            record.labels,
            record.options,
            record.anonymous,
            to_mount(record.options),
        )


def _empty(path: str) -> None:
    for name in os.listdir(path):
        remove_path(f"{path}/{name}")


def check_name(name: str) -> None:
    """Docker's rule for names of local volumes. Raises InvalidInput."""
    if len(name) == 1:
        raise InvalidInput(
            f"create {name}: volume name is too short, names should be "
            "at least two alphanumeric characters"
        )
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only '
            f'"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, '
            f"use absolute path"
        )
