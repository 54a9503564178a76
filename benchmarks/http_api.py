"""One raw HTTP client for both engines: a blocking unix socket, no library in the way."""

import json
import socket
from collections.abc import Iterable


class Api:
    """One keep-alive connection to an engine's socket."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._sock: socket.socket | None = None

    def _connect(self) -> socket.socket:
        if self._sock is None:
            self._sock = socket.socket(socket.AF_UNIX)
            self._sock.connect(self.path)
            self._reader = self._sock.makefile("rb")
        return self._sock

    def close(self) -> None:
        """Drop the connection; the next request makes another."""
        if self._sock is not None:
            self._reader.close()
            self._sock.close()
            self._sock = None

    def send(self, method: str, target: str, body: bytes, kind: str = "application/json") -> None:
        """Send a request."""
        head = (
            f"{method} /v1.41{target} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._connect().sendall(head.encode() + body)

    def receive(self) -> tuple[int, bytes]:
        """Status and body of the answer."""
        status = int(self._reader.readline().split()[1])
        headers = {}
        while line := self._reader.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            return status, b"".join(self._chunks())
        size = int(headers.get("content-length", 0))
        return status, self._reader.read(size) if size else b""

    def _chunks(self) -> Iterable[bytes]:
        while size := int(self._reader.readline(), 16):
            yield self._reader.read(size)
            self._reader.readline()
        self._reader.readline()

    def call(
        self, method: str, target: str, body: object = None, expect: int | None = None
    ) -> bytes:
        """A whole exchange. Raises RuntimeError for a status of 400 or more."""
        data = b"" if body is None else json.dumps(body).encode()
        self.send(method, target, data)
        status, answer = self.receive()
        if status >= 400 or (expect is not None and status != expect):
            raise RuntimeError(f"{method} {target}: {status} {answer[:300]!r}")
        return answer

    def stream_out(self, target: str, file_size: int, pieces: Iterable[bytes]) -> bytes:
        """POST or PUT a large body: `target` begins with the method."""
        method, _, path = target.partition(" ")
        sock = self._connect()
        head = (
            f"{method} /v1.41{path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\n"
            f"Content-Length: {file_size}\r\n\r\n"
        )
        sock.sendall(head.encode())
        for piece in pieces:
            sock.sendall(piece)
        status, answer = self.receive()
        if status >= 400:
            raise RuntimeError(f"{target}: {status} {answer[:300]!r}")
        return answer
