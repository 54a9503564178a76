"""A server that writes down what a Docker client asks, and answers just enough for it to go on."""

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit


class Asked(NamedTuple):
    """One request: method, path without the version, query, and the JSON body."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: object


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    asked: list[Asked]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def address_string(self) -> str:
        return "client"

    def log_message(self, format: str, *args: object) -> None:
        return

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        url = urlsplit(self.path)
        if url.path == "/_ping":
            self.reply(200, b"OK")
            return
        path = url.path.removeprefix("/v1.41")
        query = parse_qs(url.query, keep_blank_values=True)
        self.server.asked.append(
            Asked(self.command, path, query, json.loads(body) if body.strip() else None)
        )
        self.reply(*_answer(self.command, path))

    do_GET = do_POST = do_HEAD = do_DELETE = do_PUT = answer

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("API-Version", "1.41")
        self.send_header("OSType", "linux")
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body)


def _answer(method: str, path: str) -> tuple[int, bytes]:
    if path == "/containers/create":
        return 201, b'{"Id":"abc","Warnings":null}'
    if path.endswith("/exec"):
        return 201, b'{"Id":"def"}'
    if path.endswith("/json") and path in ("/containers/json", "/images/json"):
        return 200, b"[]"
    if path.endswith("/wait"):
        return 200, b'{"StatusCode":0}'
    if method == "POST" and path.endswith(("/start", "/stop", "/kill", "/restart", "/resize")):
        return 204, b""
    return 200, b"{}"


class Recorder:
    """The server, while the block runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._server = _Server(str(path), _Handler)
        self._server.asked = []

    def __enter__(self) -> "Recorder":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def taken(self) -> list[Asked]:
        """What was asked since the last call."""
        asked = self._server.asked[:]
        self._server.asked.clear()
        return asked
