"""Sockets to one engine: requests over a kept-alive connection, and upgrades to raw streams."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from wherry.client import http
from wherry.client.endpoint import Endpoint
from wherry.client.errors import from_answer
from wherry.client.transport import dial, explained
from wherry.kit.errors import Unavailable

Headers = Mapping[str, str]


class Hijacked(NamedTuple):
    """A connection that has become a plain byte stream in both directions."""

    socket: socket.socket
    leftover: bytes
    """Bytes of the stream that arrived together with the answer's head."""
    media_type: str
    """`application/vnd.docker.multiplexed-stream` or `…raw-stream`, where the engine says it."""


class _Idle(NamedTuple):
    socket: socket.socket
    reader: http.Reader
    answer: http.Response


class Connection:
    """Requests to one engine, one at a time; not for use by several threads."""

    def __init__(self, endpoint: Endpoint, headers: Headers) -> None:
        self.endpoint = endpoint
        self.headers = dict(headers)
        self._idle: _Idle | None = None

    def exchange(
        self, method: str, target: str, body: http.Body = None, headers: Headers | None = None
    ) -> http.Response:
        """Send a request and read the answer's head, whatever its status is.

        Raises Unavailable, NotPermitted, Corrupt.
        """
        stream, reader = self._socket()
        with self._closed_on_failure(stream):
            head = self._head(method, target, body, headers or {})
            whole = http.send(stream, head, body, reader)
            answer = http.Response(reader, bodyless=method == "HEAD")
        if answer.reusable and whole:
            self._idle = _Idle(stream, reader, answer)
        return answer

    def upgrade(self, target: str, body: bytes | None = None) -> Hijacked:
        """Turn a fresh connection into a byte stream (`Upgrade: tcp`, as Docker's attach).

        Raises what a status of 400 or more stands for.
        """
        stream = dial(self.endpoint)
        with self._closed_on_failure(stream):
            headers = {"Connection": "Upgrade", "Upgrade": "tcp"}
            if body is not None:
                headers["Content-Type"] = "application/json"
            reader = http.Reader(stream)
            http.send(stream, self._head("POST", target, body, headers), body, reader)
            answer = http.Response(reader)
            if answer.status >= 400:
                raise from_answer(answer.status, answer.reason, answer.read())
        return Hijacked(stream, reader.leftover(), answer.headers.get("content-type", ""))

    @contextmanager
    def _closed_on_failure(self, stream: socket.socket) -> Iterator[None]:
        """Errors of the block close the connection; ssh's own reason replaces an empty answer."""
        try:
            yield
        except Unavailable as error:
            told = explained(stream, self.endpoint, error)
            stream.close()
            if told is error:
                raise
            raise told from error
        except BaseException:
            stream.close()
            raise

    def close(self) -> None:
        """Close the idle connection, if there is one."""
        idle, self._idle = self._idle, None
        if idle is not None:
            idle.socket.close()

    def _socket(self) -> tuple[socket.socket, http.Reader]:
        idle, self._idle = self._idle, None
        if idle is not None and idle.answer.ended and not idle.reader.has_arrived():
            return idle.socket, idle.reader
        if idle is not None:
            idle.socket.close()
        stream = dial(self.endpoint)
        return stream, http.Reader(stream)

    def _head(self, method: str, target: str, body: http.Body, headers: Headers) -> bytes:
        fields = {"Host": self.endpoint.host or "wherry", **self.headers, **headers}
        if isinstance(body, bytes) or (body is None and method in ("POST", "PUT")):
            fields["Content-Length"] = str(len(body or b""))
        elif body is not None:
            fields["Transfer-Encoding"] = "chunked"
        lines = [f"{method} {self.endpoint.prefix}{target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
