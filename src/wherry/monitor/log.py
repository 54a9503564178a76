"""A container's log as its monitor has it: written, handed out, followed."""

import os
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from wherry.monitor.jsonline import JsonLines
from wherry.monitor.locallines import LocalLines
from wherry.monitor.logfile import Compress, LogFile, Position
from wherry.monitor.loglines import Clock, Piece, Splitter
from wherry.monitor.protocol import LogConfig
from wherry.monitor.segments import Segment, open_segment, open_segments

if TYPE_CHECKING:
    from wherry.monitor.logremote import Remote

HELD_SEGMENTS = 64
"""Rotated segments that are kept open for a reader that is behind; then it loses the oldest."""


class Follower:
    """Segments that a reader has still to read, oldest first; the last is the one that grows."""

    __slots__ = ("lost", "segments", "waiting")

    def __init__(self, segments: list[Segment]) -> None:
        self.segments = deque(segments)
        self.lost = 0
        self.waiting: Callable[[], None] | None = None

    def add(self, segment: Segment) -> None:
        """The log was rotated: this one grows now."""
        self.segments.append(segment)
        if len(self.segments) > HELD_SEGMENTS:
            os.close(self.segments.popleft().fd)
            self.lost += 1

    def take(self) -> Segment:
        """The oldest, which has been read to its end."""
        return self.segments.popleft()

    def close(self) -> None:
        """Let go of all."""
        while self.segments:
            os.close(self.segments.popleft().fd)
        self.waiting = None


class Log:
    """Splits, encodes and writes output; with driver "none" it does nothing."""

    __slots__ = (
        "_clock",
        "_config",
        "_encoder",
        "_file",
        "_followers",
        "_remote",
        "_splitters",
        "_tell_lost",
        "ended",
    )

    def __init__(self, config: LogConfig, compress: Compress) -> None:
        self._config = config
        self._clock = Clock()
        self._splitters = {1: Splitter(self._clock), 2: Splitter(self._clock)}
        self._followers: list[Follower] = []
        self.ended = False
        self._remote: Remote | None = None
        self._tell_lost: Callable[[str], None] = lambda _why: None
        self._encoder: JsonLines | LocalLines = JsonLines(self._clock, config.attrs)
        if config.driver == "local":
            self._encoder = LocalLines(self._clock)
        self._file = None if config.driver == "none" else LogFile(config, compress)
        if self._file:
            self._file.on_rotate = self._rotated

    @property
    def busy(self) -> bool:
        """Whether what is written now would have to be kept in memory."""
        return self._file is not None and self._file.busy

    @property
    def holds(self) -> bool:
        """Whether entries wait for a rotation."""
        return self._file is not None and self._file.holds

    @property
    def lost(self) -> str:
        """Why entries could not be written, if that happened."""
        return str(self._file.lost) if self._file and self._file.lost else ""

    def on_lost(self, call: Callable[[str], None]) -> None:
        """What to call with the reason when lines begin to be lost, here or on their way."""
        self._tell_lost = call
        if self._file:
            self._file.on_lost = call

    def on_free(self, call: Callable[[], None]) -> None:
        """What to call when `busy` has ended."""
        if self._file:
            self._file.on_free = call

    def connect(self) -> None:
        """Reach the server that lines are sent on to. Raises InvalidInput."""
        if self._config.remote:
            from wherry.monitor.logremote import Remote

            self._remote = Remote(dict(self._config.remote), self._tell_lost)

    def write(self, stream: int, data: bytes) -> None:
        """Take output of stream 1 or 2; whole lines are in the file when this returns."""
        if self._file is None and self._remote is None:
            return
        entries: list[bytes] = []
        for piece in self._splitters[stream].feed(data):
            entries += self._encoder.encode(stream, piece)
            self._send(stream, piece)
        self._append(entries)

    def _send(self, stream: int, piece: Piece) -> None:
        if self._remote is None:
            return
        for line in piece.text.split(b"\n") if piece.whole else [piece.text]:
            if line:
                self._remote.send(stream, piece.stamp or time.time_ns(), line)

    def finish(self) -> None:
        """The output has ended: write what had no newline, send what is queued and hang up."""
        entries: list[bytes] = []
        for stream, splitter in self._splitters.items():
            for piece in splitter.finish():
                entries += self._encoder.encode(stream, piece)
                self._send(stream, piece)
        self._append(entries)
        self._hang_up()  # now: nobody hears of lines that are lost after the end is told

    def pending(self, stream: int) -> bytes:
        """Output that is not in the file because its line is not complete."""
        return self._splitters[stream].pending if self._file else b""

    def position(self) -> Position:
        """Rotations so far, bytes in the present file."""
        return self._file.position() if self._file else Position(0, 0)

    def open(self) -> list[Segment]:
        """All segments, oldest first, opened at one instant; the last is the present file."""
        return open_segments(self._config) if self._file else []

    def follow(self, segments: list[Segment]) -> Follower:
        """A reader of these segments and of those that come; `unfollow` ends it."""
        follower = Follower(segments)
        self._followers.append(follower)
        return follower

    def unfollow(self, follower: Follower) -> None:
        """The reader has gone or has all."""
        if follower in self._followers:
            self._followers.remove(follower)
        follower.close()

    def end(self) -> None:
        """Nothing will be written any more; followers are told."""
        self.ended = True
        self.wake()

    def close(self) -> None:
        """Close the file and hang up."""
        self._hang_up()
        if self._file:
            self._file.close()
            self._file = None

    def _hang_up(self) -> None:
        if self._remote is not None:
            self._remote.close()
            self._remote = None

    def wake(self) -> None:
        """Tell each follower that waits; it looks for itself whether there is something."""
        for follower in list(self._followers):
            if follower.waiting:
                follower.waiting()

    def _append(self, entries: list[bytes]) -> None:
        if entries and self._file:
            self._file.last_stamp = self._clock.last
            self._file.append(entries)
            self.wake()

    def _rotated(self) -> None:
        for follower in self._followers:
            follower.add(open_segment(self._config.path, False))
        self.wake()
