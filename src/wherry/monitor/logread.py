"""Reads a container's log: last N, since, until, across rotated and compressed segments, on and on.

Blocking code for a worker. What is read is settled at one instant: the monitor opens all segments
and says how many bytes the last one has (`LiveLog`); where no monitor lives, nobody writes, and
`open_files` does the same. Order of the choices as in dockerd: `tail` counts entries of both
streams first, then `since`, `until` and the streams decide what of them is given out.
"""

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from wherry.monitor import logtail
from wherry.monitor.logdecode import decode
from wherry.monitor.logentries import Entry
from wherry.monitor.protocol import LogConfig
from wherry.monitor.segments import LogFiles, open_segments

Batch = list[Entry]


class Selection(NamedTuple):
    """What a reader wants. `tail` -1 is all; times in nanoseconds, 0 is no limit."""

    tail: int = -1
    since: int = 0
    until: int = 0
    stdout: bool = True
    stderr: bool = True


class Filter:
    """Applies `since`, `until` and the streams to entries in order."""

    __slots__ = ("_selection", "_since")

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._since = selection.since

    def take(self, entries: Batch) -> tuple[Batch, bool]:
        """Those that are wanted, and whether none can be wanted after them.

        Once one is late enough for `since`, all that follow are, whatever their clocks say.
        """
        if self._since:
            late = (at for at, entry in enumerate(entries) if entry.stamp >= self._since)
            first = next(late, None)
            if first is None:
                return [], False
            self._since = 0
            entries = entries[first:]
        entries, done = self._before_until(entries)
        wanted = self._selection
        if not (wanted.stdout and wanted.stderr):
            chosen = {1: wanted.stdout, 2: wanted.stderr}
            entries = [entry for entry in entries if chosen[entry.stream]]
        return entries, done

    def _before_until(self, entries: Batch) -> tuple[Batch, bool]:
        until = self._selection.until
        if until:
            for at, entry in enumerate(entries):
                if entry.stamp > until:
                    return entries[:at], True
        return entries, False


class Reader:
    """Reads segments in order. Owns the descriptors; `close` them."""

    __slots__ = ("_driver", "_fd", "_files", "_filter", "_rest", "_selection", "done", "offset")

    def __init__(self, files: LogFiles, selection: Selection) -> None:
        self._files = files
        self._driver = files.driver
        self._selection = selection
        self._filter = Filter(selection)
        self._fd = files.fds[-1]
        self._rest = b""
        self.offset = 0
        self.done = False

    def backlog(self) -> Iterator[Batch]:
        """All that was logged up to the instant at which the files were opened."""
        last = len(self._files.fds) - 1
        for start in logtail.starts(self._files, self._selection.tail):
            self._rest = b""
            yield from self._batches(logtail.bytes_from(self._files, start))
            if self.done:
                return
        for fd in self._files.fds[:last]:
            os.close(fd)
        self._files = self._files._replace(fds=(self._fd,))
        self.offset = self._files.size

    def more(self) -> Iterator[Batch]:
        """What has been added to the present segment since."""

        def added() -> Iterator[bytes]:
            while data := os.pread(self._fd, 1 << 18, self.offset):
                self.offset += len(data)
                yield data

        yield from self._batches(added())

    def rotated(self, fd: int) -> Iterator[Batch]:
        """The present segment is complete and this one follows."""
        yield from self.more()
        os.close(self._fd)
        self._fd, self._rest, self.offset = fd, b"", 0
        self._files = self._files._replace(fds=(fd,))
        yield from self.more()

    def close(self) -> None:
        """Close all descriptors."""
        for fd in self._files.fds:
            os.close(fd)
        self._files = self._files._replace(fds=())

    def _batches(self, pieces: Iterator[bytes]) -> Iterator[Batch]:
        for piece in pieces:
            if self.done:
                return
            data = self._rest + piece if self._rest else piece
            entries, used = decode(self._driver, data)
            self._rest = data[used:]
            chosen, self.done = self._filter.take(entries)
            if chosen:
                yield chosen


def open_files(config: LogConfig) -> LogFiles:
    """The files of a log that no monitor writes. Raises FileNotFoundError."""
    segments = open_segments(config)
    fds = tuple(segment.fd for segment in segments)
    compressed = tuple(segment.compressed for segment in segments)
    return LogFiles(config.driver, fds, compressed, os.fstat(fds[-1]).st_size)


def read(files: LogFiles, selection: Selection) -> Iterator[Batch]:
    """Everything up to the instant of opening; closes the files."""
    reader = Reader(files, selection)
    try:
        yield from reader.backlog()
    finally:
        reader.close()


class Waiter(NamedTuple):
    """How a follower learns that there is more: both block, or raise EOFError at the end.

    `wait(offset)` returns the descriptor of the next segment, or None when the present one grew.
    """

    wait: Callable[[int], int | None]
    close: Callable[[], None]


def follow(files: LogFiles, selection: Selection, waiter: Waiter) -> Iterator[Batch]:
    """Everything, and what is logged from then on until the container ends."""
    reader = Reader(files, selection)
    try:
        yield from reader.backlog()
        while not reader.done:
            try:
                following = waiter.wait(reader.offset)
            except EOFError:
                yield from reader.more()
                return
            yield from reader.more() if following is None else reader.rotated(following)
    finally:
        reader.close()
        waiter.close()
