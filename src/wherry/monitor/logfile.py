"""A log file that rotates by size, named as dockerd names it: `x`, `x.1`, `x.2`, or `x.1.gz`, …

Entries are never parted: the file is changed before the first entry that finds it full, so it may
be longer than the limit by one entry, as dockerd's is. While an older segment is being compressed
no second rotation can happen; entries then wait and the file is `busy`, which stops the readers of
the container's output, never the monitor.
"""

import contextlib
import os
from collections.abc import Callable
from typing import NamedTuple

from wherry.monitor.protocol import LogConfig

Compress = Callable[[str, int, Callable[[], None]], None]
"""(path, time of the last line in ns, what to call when it is done): compresses beside the loop."""


class Position(NamedTuple):
    """A place in the log: the number of rotations so far, and bytes in the present file."""

    generation: int
    size: int


class LogFile:
    """Appends entries; tells whoever asked of each rotation."""

    __slots__ = (
        "_compress", "_config", "_fd", "_held", "_losing", "busy", "generation", "last_stamp",
        "lost", "on_free", "on_lost", "on_rotate", "size",
    )  # fmt: skip

    def __init__(self, config: LogConfig, compress: Compress) -> None:
        self._config = config
        self._compress = compress
        self._held: list[bytes] = []
        self.busy = self._losing = False
        self.on_lost: Callable[[str], None] | None = None
        self.generation = 0
        self.last_stamp = 0
        self.lost: OSError | None = None
        self.on_rotate: Callable[[], None] | None = None
        self.on_free: Callable[[], None] | None = None
        self._fd = _open(config.path)
        self.size = os.fstat(self._fd).st_size
        self._finish_compression()

    def append(self, entries: list[bytes]) -> None:
        """Write entries in order, rotating between them where the limit is reached."""
        if self._held:
            self._held += entries
            return
        data = b"".join(entries)
        limit = self._config.max_size
        if limit < 0 or self.size + len(data) - len(entries[-1]) < limit:
            self._write(data)
        else:
            self._append_rotating(entries, limit)

    @property
    def holds(self) -> bool:
        """Whether entries wait until a rotation is possible."""
        return bool(self._held)

    def position(self) -> Position:
        """Where the next entry will be written."""
        return Position(self.generation, self.size)

    def close(self) -> None:
        """Close the file; nothing may be held any more."""
        os.close(self._fd)

    def _append_rotating(self, entries: list[bytes], limit: int) -> None:
        at = 0
        while at < len(entries):
            if self.size >= limit:
                if self.busy:
                    self._held = entries[at:]
                    return
                self._rotate()
            end, room = at + 1, limit - self.size - len(entries[at])
            while end < len(entries) and room > 0:
                room -= len(entries[end])
                end += 1
            self._write(b"".join(entries[at:end]))
            at = end

    def _write(self, data: bytes) -> None:
        """A full disk loses entries, never the container; what was cut is taken back."""
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
            self.size += len(data)
            self._losing = False
        except OSError as error:
            self.lost = error
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.size)
            self._tell_loss(error)

    def _tell_loss(self, error: OSError) -> None:
        """Once for each time that it begins, not for every line."""
        if not self._losing and self.on_lost:
            self.on_lost(str(error))
        self._losing = True

    def _rotate(self) -> None:
        """Errors (a folder that is gone) leave the present file in use."""
        path, keep = self._config.path, self._config.max_file > 1
        compress = self._config.compress and keep
        try:
            shift(path, self._config.max_file, ".gz" if compress else "")
            fresh = _open(path, os.O_TRUNC)
        except OSError as error:
            self.lost = error
            self.size = 0  # try again after as many bytes as a file may have
            return
        os.close(self._fd)
        self._fd, self.size = fresh, 0
        self.generation += 1
        if self.on_rotate:
            self.on_rotate()
        if compress:
            self._start_compression()

    def _start_compression(self) -> None:
        self.busy = True
        self._compress(f"{self._config.path}.1", self.last_stamp, self._compressed)

    def _compressed(self) -> None:
        self.busy = False
        entries, self._held = self._held, []
        if entries:
            self.append(entries)
        if self.on_free and not self.busy:
            self.on_free()

    def _finish_compression(self) -> None:
        """A monitor that was killed may have left a segment uncompressed, or both forms."""
        plain = f"{self._config.path}.1"
        if not (self._config.compress and os.path.exists(plain)):
            return
        if os.path.exists(f"{plain}.gz"):
            os.unlink(plain)
        else:
            self._start_compression()


def _open(path: str, extra: int = 0) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    return os.open(path, flags | extra, 0o640)


def shift(path: str, max_file: int, suffix: str) -> None:
    """Move the file to `path.1`, the older ones up by one, the oldest out.

    Where only one file is wanted it goes; dockerd leaves it as `path.1` and never reads it.
    """
    if max_file < 2:
        os.unlink(path)
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{path}.{max_file - 1}{suffix}")
    for number in range(max_file - 1, 1, -1):
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}.{number - 1}{suffix}", f"{path}.{number}{suffix}")
    os.rename(path, f"{path}.1")
