"""Hostile requests out of our route table: every choice comes from one seeded generator."""

import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from wherry.api.application import hijack_routes, routes
from wherry.dockerapi import containers, execs, networks, volumes

LINES = sorted({(each.method, each.pattern) for each in [*routes(), *hijack_routes()]})
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW")
KNOWN = ("victim", "idle", "plain", "plain:latest", "bridge", "host", "none", "vol", "net")
"""Names that mean something in the engine under test."""
TEXTS = (
    "", " ", "0", "-1", "1", "true", "no", "null", "x" * 5000, "../../etc/passwd", "..", ".", "/",
    "//", "a/b/c", "%00", "\0", "\n", "\r\nX: y", "é", "\ud7ff", "💥", "'; drop", "{{.Id}}",
    "$(id)", "*", "?", "#", "1e400", "99999999999999999999", "-99999999999999999999", "1.5", "NaN",
    "a:b:c:d", "@sha256:x", "sha256:" + "0" * 64, "UPPER", "[::1]:70000", "0.0.0.0:99999999",
    "65536/tcp", "1970-01-01T00:00:00Z", "{", "[]", '{"label":["a"]}', '{"label":{"a":true}}',
    '{"x":5}', "a=b",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2**31, 2**63 - 1, -(2**63), 2**64, 10**30, 1.5, 1e300)
FILTERS = ("label", "id", "name", "status", "until", "dangling", "driver", "type", "event",
           "health", "exited", "ancestor", "before", "since", "volume", "network", "publish",
           "scope", "nonsense", "")  # fmt: skip
QUERY = (
    "all author changes comment condition container copyUIDGID detachKeys details digests dryrun "
    "filter filters follow force fromImage fromSrc h limit link logs manifests message name names "
    "noOverwriteDirNonDir noprune one-shot path pause platform ps_args q repair repo scope signal "
    "since size stderr stdin stdout stream t tag tail term timestamps type until v verbose w"
).split()
HEADERS = {
    "Content-Type": ("application/json", "text/plain", "application/x-tar", "", "a" * 3000, "\xff"),
    "X-Registry-Auth": ("e30=", "not base64 !", "bnVsbA==", "W10=", "eyJ1c2VybmFtZSI6NX0="),
    "X-Registry-Config": ("e30=", "!!"),
    "Connection": ("close", "Upgrade", "keep-alive, Upgrade"),
    "Upgrade": ("tcp", "websocket", "h2c"),
    "Expect": ("100-continue", "200-ok"),
    "Host": ("evil.example", "", "a b"),
    "Accept-Encoding": ("gzip;q=0", "*;q=nonsense"),
    "Transfer-Encoding": ("gzip", "identity"),
    "Cookie": ("a=b; " * 100,),
}
BODIES: dict[str, tuple[type[msgspec.Struct], str]] = {
    "/containers/create": (containers.ContainerCreateRequest, "Image"),
    "/containers/{name}/update": (containers.ContainerCreateRequest, ""),
    "/containers/{name}/exec": (execs.ExecCreateRequest, "Cmd"),
    "/exec/{name}/start": (execs.ExecStartRequest, ""),
    "/networks/create": (networks.NetworkCreateRequest, "Name"),
    "/volumes/create": (volumes.VolumeCreateRequest, "Name"),
}
GIVEN = {"Image": "plain", "Cmd": ["true"], "Name": "net2"}


class Request(NamedTuple):
    """What is sent, and the line of the table it is made from."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    line: str


class Generator:
    """Requests by a seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def request(self) -> Request:
        """The next one."""
        pick = self._chance
        method, pattern = pick.choice(LINES)
        line = f"{method} {pattern}"
        body = self._body(pattern) if method in ("POST", "PUT") or pick.random() < 0.1 else b""
        path = pattern.replace(
            "{name}", quote(self._name(), safe="/:@" if self._often(0.5) else "")
        )
        if self._often(0.1):
            method = pick.choice(METHODS)
        if self._often(0.05):
            path = pick.choice(("/", "//", "/../", "/%2e%2e/x", "*", "/v1.41", path + "/more"))
        if self._often(0.5):
            path = "/v" + pick.choice(("1.41", "1.24", "1.51", "1.12", "1.99", "0.1", "x")) + path
        return Request(method, path + self._query(), self._headers(), body, line)

    def _often(self, share: float) -> bool:
        return self._chance.random() < share

    def _name(self) -> str:
        return self._chance.choice(KNOWN if self._often(0.6) else TEXTS)

    def _query(self) -> str:
        pick, parts = self._chance, []
        for _ in range(pick.choice((0, 0, 1, 2, 4))):
            key = pick.choice(QUERY)
            text = self._filters() if key == "filters" and self._often(0.7) else pick.choice(TEXTS)
            raw = self._often(0.05)
            parts.append(f"{key}={text.split()[0] if raw and text.split() else quote(text)}")
        safe = "&".join(parts).encode("ascii", "ignore").decode()
        kept = "".join(char for char in safe if char > " ")
        return f"?{kept}" if kept else ""

    def _filters(self) -> str:
        pick = self._chance
        values: list[Any] = [[pick.choice(TEXTS)], {pick.choice(TEXTS): True}, 5, None, [[]]]
        return json.dumps({pick.choice(FILTERS): pick.choice(values) for _ in range(2)})

    def _headers(self) -> dict[str, str]:
        pick, found = self._chance, {"Host": "docker", "Content-Type": "application/json"}
        while self._often(0.25):
            name = pick.choice(list(HEADERS))
            found[name] = pick.choice(HEADERS[name])
        return found

    def _body(self, pattern: str) -> bytes:
        kinds: tuple[Callable[[str], bytes], ...] = (self._shaped, self._shaped, self._loose)
        return self._chance.choice(kinds)(pattern)

    def _loose(self, _: str) -> bytes:
        pick = self._chance
        text = json.dumps(self._anything()).encode()
        return pick.choice((b"", text, text[: len(text) // 2], pick.randbytes(300), b"\xff\xfe{"))

    def _anything(self, depth: int = 0) -> Any:
        pick = self._chance
        if depth < 3 and self._often(0.3):
            return [self._anything(depth + 1) for _ in range(pick.randrange(4))]
        if depth < 3 and self._often(0.3):
            return {pick.choice(TEXTS): self._anything(depth + 1) for _ in range(pick.randrange(4))}
        return pick.choice((pick.choice(TEXTS), pick.choice(NUMBERS), None, True, False))

    def _shaped(self, pattern: str) -> bytes:
        """Fields that exist, mostly of the right kind, with odd values."""
        shape, needed = BODIES.get(pattern, (None, ""))
        if shape is None:
            return self._loose(pattern)
        body = self._fields(shape(), 0.08)
        if needed and self._often(0.9):
            body[needed] = GIVEN[needed]
        return json.dumps(body).encode()

    def _fields(self, default: msgspec.Struct, share: float) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for field in msgspec.structs.fields(default):
            value = getattr(default, field.name)
            if isinstance(value, msgspec.Struct) and self._often(0.4):
                found[field.encode_name] = self._fields(value, share)
            elif self._often(share):
                found[field.encode_name] = self._near(value)
        return found

    def _near(self, default: object) -> Any:
        pick = self._chance
        if self._often(0.15):
            return self._anything()
        if isinstance(default, bool):
            return pick.choice((True, False))
        if isinstance(default, int):
            return pick.choice(NUMBERS[:6])
        if isinstance(default, str):
            return pick.choice(TEXTS)
        texts = [pick.choice(TEXTS) for _ in range(2)]
        return pick.choice(
            (texts, dict.fromkeys(texts, texts[0]), {text: {} for text in texts}, [])
        )
