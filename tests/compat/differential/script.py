"""The script of requests: read, sent to an engine, and its answers as facts."""

import http.client
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.compat.comparing import flatten
from tests.compat.pair import Daemon

TABLE = Path(__file__).parent / "requests.txt"
HEADERS = ("Content-Type", "Location")
"""Api-Version is another one, and we tell it, as Ostype, with every answer."""
DEFAULT_VERSION = "/v1.41"


class Request(NamedTuple):
    """One line of the script."""

    method: str
    path: str
    body: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in self if part)


def read() -> list[Request]:
    """All requests in their order, `{a,b}` in paths and methods unfolded."""
    found: list[Request] = []
    for line in TABLE.read_text().splitlines():
        if line.startswith(" ") and found:
            last = found[-1]
            found[-1] = last._replace(body=f"{last.body} {line.strip()}".strip())
        elif line.strip() and not line.startswith("#"):
            words = line.split(maxsplit=2)
            body = words[2] if len(words) > 2 else ""
            found += [
                Request(method, path, body)
                for method in unfolded(words[0])
                for path in unfolded(words[1])
            ]
    return found


def unfolded(text: str) -> Iterator[str]:
    """`a{b,c}d{e,f}` is abde, abdf, acde, acdf."""
    before, brace, rest = text.partition("{")
    if not brace:
        yield text
        return
    choices, _, after = rest.partition("}")
    for choice in choices.split(","):
        for end in unfolded(after):
            yield f"{before}{choice}{end}"


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


def played(daemon: Daemon, requests: list[Request]) -> list[dict[str, str]]:
    """The facts of every answer: status, some headers, and the body's fields."""
    return [answer(daemon, each) for each in requests]


def answer(daemon: Daemon, request: Request) -> dict[str, str]:
    versioned = re.match(r"/v\d", request.path) or request.path == "/_ping"
    path = request.path if versioned else DEFAULT_VERSION + request.path
    connection = _Unix(daemon.socket)
    headers = {"Content-Type": "application/json"} if request.body else {}
    connection.request(request.method, path, request.body or None, headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    facts = {"status": str(response.status)}
    facts |= {f"header {name}": response.getheader(name) or "" for name in HEADERS}
    facts |= {f"body.{key}": value for key, value in _body(body).items()}
    return {hidden(daemon, key): hidden(daemon, value) for key, value in facts.items()}


def _body(body: bytes) -> dict[str, str]:
    try:
        return flatten(ordered(json.loads(body)))
    except ValueError:
        return {"": body.decode(errors="backslashreplace")}


def ordered(value: object) -> object:
    """Lists of named things in the order of their names, where engines have none."""
    if isinstance(value, dict):
        return {
            key: sorted(inner) if key == "VolumesDeleted" and inner else ordered(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        inner = [ordered(each) for each in value]
        return sorted(inner, key=_name) if inner and all(map(_name, inner)) else inner
    return value


def _name(value: object) -> str:
    if not isinstance(value, dict):
        return ""
    names = (value.get(key) for key in ("Name", "RepoTags", "Names", "Destination"))
    return next((str(name) for name in names if name), "")


_HIDDEN = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "<time>"),
    (r"\b1[67]\d{8}\b", "<seconds>"),
    (r"02:42:[0-9a-f:]{11}", "<mac>"),
    (r"172\.17\.\d+\.\d+", "<address>"),
    (r"(Up|Exited \(\d+\)) [^\"(]*(second|minute)s?( ago)?", r"\1 <while>"),
    (r"/docker/|/wherry/", "/<engine>/"),
)


def hidden(daemon: Daemon, text: str) -> str:
    """Without what has to differ."""
    text = text.replace(str(daemon.folder), "<folder>")
    for pattern, put in _HIDDEN:
        text = re.sub(pattern, put, text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "<hex>", text)
    return re.sub(r"\b[0-9a-f]{12}\b", "<short>", text)
