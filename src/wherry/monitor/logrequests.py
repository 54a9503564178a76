"""Log readers of other processes: they get the files, and a word when there is more.

`log_open` opens all segments at one instant and answers with their descriptors, oldest first, and
how many bytes of the last belong to that instant. With `follow` the reader then repeats
`log_wait {follower, offset}`; the answer comes when the present segment has more bytes than
`offset` (`size`), was changed (`rotated`, with the next segment's descriptor) or has ended (`end`).
Segments that a reader has not fetched when the container ends are pushed to it with an event
`log_end`, since this process leaves.
"""

import os
from typing import Any

from wherry.kit.errors import NotFound, Unsupported
from wherry.monitor.log import Follower, Log
from wherry.monitor.server import Answer, Connection

Fields = dict[str, Any]


class _Reader:
    """A follower and the connection it belongs to."""

    __slots__ = ("_log", "answer", "connection", "follower", "offset", "over")

    def __init__(self, log: Log, follower: Follower, connection: Connection) -> None:
        self._log = log
        self.follower = follower
        self.connection = connection
        self.offset = 0
        self.answer: Answer | None = None
        self.over = False
        follower.waiting = self.look

    def wait(self, offset: int, answer: Answer) -> None:
        """Answer as soon as there is something."""
        self.offset, self.answer = offset, answer
        self.look()

    def look(self) -> None:
        """Is there something?"""
        if self._log.ended and not self.over:
            self.over = True
            self._push_end()
        elif self.answer is not None and self.follower.segments:
            self._next_segment(self.answer)
        elif self.answer is not None and self._log.position().size > self.offset:
            self.answer({"ok": {"size": self._log.position().size}})
            self.answer = None

    def _next_segment(self, answer: Answer) -> None:
        lost, self.follower.lost = self.follower.lost, 0
        segment = self.follower.take()
        answer({"ok": {"rotated": True, "lost": lost}}, [segment.fd])
        os.close(segment.fd)
        self.answer = None

    def _push_end(self) -> None:
        fds = [segment.fd for segment in self.follower.segments]
        fields = {"event": "log_end", "lost": self.follower.lost, "size": self._log.position().size}
        self.connection.send(fields, fds)


class LogRequests:
    """Answers log_open, log_wait and log_close."""

    __slots__ = ("_count", "_driver", "_log", "_readers")

    def __init__(self, log: Log, driver: str) -> None:
        self._log = log
        self._driver = driver
        self._readers: dict[int, _Reader] = {}
        self._count = 0

    def handle(self, connection: Connection, name: str, fields: Fields, answer: Answer) -> None:
        """Raises NotFound, Unsupported, OSError."""
        if name == "log_open":
            self._open(connection, follow=bool(fields.get("follow")), answer=answer)
        elif name == "log_wait":
            self._reader(fields).wait(int(fields["offset"]), answer)
        elif name == "log_close":
            self._close(int(fields["follower"]))
            answer({"ok": {}})
        else:
            raise Unsupported(f"this monitor does not know the request {name!r}")

    def _open(self, connection: Connection, *, follow: bool, answer: Answer) -> None:
        if self._driver == "none":
            raise Unsupported("the log driver of this container keeps nothing (driver none)")
        segments = self._log.open()
        reply: Fields = {
            "driver": self._driver,
            "compressed": [segment.compressed for segment in segments],
            "size": self._log.position().size,
        }
        if follow:
            reply["follower"] = self._follow(connection)
        answer({"ok": reply}, [segment.fd for segment in segments])
        for segment in segments:
            os.close(segment.fd)

    def _follow(self, connection: Connection) -> int:
        follower = self._log.follow([])
        self._count += 1
        number = self._count
        self._readers[number] = _Reader(self._log, follower, connection)
        connection.on_closed.append(lambda: self._close(number))
        return number

    def _reader(self, fields: Fields) -> _Reader:
        reader = self._readers.get(int(fields["follower"]))
        if reader is None:
            raise NotFound(f"no log reader {fields['follower']}")
        return reader

    def _close(self, number: int) -> None:
        reader = self._readers.pop(number, None)
        if reader is not None:
            self._log.unfollow(reader.follower)
