"""Sends what no decent client sends, and tells what came back."""

import http.client
import socket
from typing import NamedTuple

from tests.compat.requests.generator import Request

PATIENCE = 30.0
"""Seconds after which an answer that is no stream counts as a hang."""
GLANCE = 0.3
"""Seconds of a stream."""
STREAMS = ("/events", "/attach", "/stats", "/wait", "/logs", "/start")


class Outcome(NamedTuple):
    """Status 0 where the connection was ended without one; `hang` where nothing came in time."""

    status: int
    text: str
    hang: bool = False


def send(path: str, request: Request) -> Outcome:
    """One request on a connection of its own."""
    stream = any(word in request.target for word in STREAMS)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(path)
        try:
            sock.sendall(encode(request))
            sock.settimeout(GLANCE if stream else PATIENCE)
            return _answer(sock, request)
        except TimeoutError:
            return Outcome(0, "", hang=not stream)
        except (ConnectionError, http.client.HTTPException) as error:
            return Outcome(0, repr(error))


def encode(request: Request) -> bytes:
    """The bytes on the wire; nothing in them is checked."""
    headers = dict(request.headers)
    if request.body or request.method in ("POST", "PUT"):
        headers["Content-Length"] = str(len(request.body))
    lines = [f"{request.method} {request.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, "", ""])
    return head.encode("latin-1", "replace") + request.body


def _answer(sock: socket.socket, request: Request) -> Outcome:
    answer = http.client.HTTPResponse(sock, method=request.method)
    answer.begin()
    if answer.status == 101:
        return Outcome(101, "")
    return Outcome(answer.status, answer.read().decode(errors="replace"))
