"""One request to both daemons, and the answers compared."""

import http.client
import json
import re
import socket
from email.message import Message
from typing import Any, NamedTuple

from tests.compat.pair import Daemon, Pair


class Answer(NamedTuple):
    status: int
    body: Any


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


def ask(daemon: Daemon, method: str, path: str, body: object = None, **headers: str) -> Answer:
    """One request at API 1.41, or at the version in the path."""
    connection = _Unix(daemon.socket)
    data = b"" if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **headers} if data else headers
    path = path if path.startswith("/v1.") else f"/v1.41{path}"
    connection.request(method, path, data or None, sent)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    try:
        return Answer(response.status, json.loads(text) if text else None)
    except ValueError:
        return Answer(response.status, text.decode())


def hidden(daemon: Daemon, value: object) -> object:
    text = json.dumps(value, sort_keys=True).replace(str(daemon.folder), "<folder>")
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>", text)
    return json.loads(re.sub(r"[0-9a-f]{64}", "<hex>", text))


def both(daemons: Pair, method: str, path: str, body: object = None) -> Answer:
    """The same answer from both, which is given back."""
    theirs, ours = (ask(each, method, path, body) for each in daemons.both)
    assert hidden(daemons.wherry, ours) == hidden(daemons.dockerd, theirs), (method, path, body)
    return ours


def send(daemon: Daemon, method: str, path: str, body: bytes) -> tuple[int, Message, bytes]:
    """One request with bytes as they are: status, headers, answer."""
    connection = _Unix(daemon.socket)
    connection.request(method, f"/v1.41{path}", body or None, {"Content-Type": "application/x-tar"})
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    return response.status, response.headers, answer
