"""One engine as its API: version negotiation, JSON, streams; errors by their status."""

import os
from collections.abc import Iterator, Mapping

from wherry.client import document, http
from wherry.client.connection import Connection, Headers, Hijacked
from wherry.client.document import Document, Json
from wherry.client.endpoint import Endpoint
from wherry.client.errors import from_answer
from wherry.kit.errors import Corrupt, InvalidInput

MAX_VERSION = (1, 51)
"""The newest API version this client speaks."""
OLDEST = (1, 24)
"""Assumed where an engine does not tell its version, as Docker's client does."""

Query = http.Query
NOTHING: Mapping[str, str] = {}


class Client:
    """Requests to one engine; not for use by several threads."""

    def __init__(self, endpoint: Endpoint, headers: Headers = NOTHING) -> None:
        self.endpoint = endpoint
        self._connection = Connection(endpoint, {"User-Agent": "wherry", **headers})
        self._ping: Mapping[str, str] | None = None

    def ping(self) -> Mapping[str, str]:
        """The headers of `/_ping` (api-version, ostype, server), asked once."""
        if self._ping is None:
            answer = self._connection.exchange("GET", "/_ping")
            body = answer.read()
            if answer.status >= 400:
                raise from_answer(answer.status, answer.reason, body)
            self._ping = answer.headers
        return self._ping

    @property
    def version(self) -> str:
        """The API version in use: DOCKER_API_VERSION, or the newest that both sides know."""
        forced = os.environ.get("DOCKER_API_VERSION")
        if forced:
            return forced.removeprefix("v")
        told = self.ping().get("api-version", "")
        theirs = parse_version(told) if told else OLDEST
        return ".".join(str(part) for part in min(theirs, MAX_VERSION))

    def request(
        self,
        method: str,
        path: str,
        query: Query = NOTHING,
        body: http.Body = None,
        headers: Headers = NOTHING,
    ) -> http.Response:
        """One request; its answer's body is not read yet. Raises what the status stands for."""
        answer = self._connection.exchange(method, self._target(path, query), body, headers)
        if answer.status >= 400:
            raise from_answer(answer.status, answer.reason, answer.read())
        return answer

    def json(self, method: str, path: str, query: Query = NOTHING, body: Json = None) -> Json:
        """One request with JSON in (where given) and out; None for an empty answer."""
        sent = None if body is None else document.encode(body)
        headers = NOTHING if body is None else {"Content-Type": "application/json"}
        data = self.request(method, path, query, sent, headers).read()
        return document.decode(data) if data.strip() else None

    def messages(
        self,
        method: str,
        path: str,
        query: Query = NOTHING,
        body: http.Body = None,
        headers: Headers = NOTHING,
    ) -> Iterator[Document]:
        """The objects of a streamed answer (pull, load, events, stats), as they come."""
        return document.values(iter(self.request(method, path, query, body, headers)))

    def hijack(self, path: str, query: Query = NOTHING, body: Json = None) -> Hijacked:
        """Turn a connection into a byte stream; the caller closes its socket."""
        sent = None if body is None else document.encode(body)
        return self._connection.upgrade(self._target(path, query), sent)

    def another(self) -> "Client":
        """A client of the same engine with a connection of its own."""
        twin = Client(self.endpoint)
        twin._connection = Connection(self.endpoint, self._connection.headers)
        twin._ping = self._ping
        return twin

    def close(self) -> None:
        """Close what is open."""
        self._connection.close()

    def _target(self, path: str, query: Query) -> str:
        return f"/v{self.version}{path}{http.query_string(query)}"


def get(client: Client, path: str, query: Query = NOTHING) -> Document:
    """An object. Raises Corrupt where the answer is none."""
    return as_document(client.json("GET", path, query))


def get_list(client: Client, path: str, query: Query = NOTHING) -> list[Document]:
    """A list of objects; null reads as an empty one."""
    return as_documents(client.json("GET", path, query))


def post(client: Client, path: str, query: Query = NOTHING, body: Json = None) -> Document:
    """A change; the answered object, or an empty one."""
    return as_document(client.json("POST", path, query, body))


def as_document(value: Json) -> Document:
    """The object, or an empty one for null. Raises Corrupt."""
    if value is not None and not isinstance(value, dict):
        raise Corrupt("the engine's answer is not a JSON object")
    return Document(value or {})


def as_documents(value: Json) -> list[Document]:
    """The objects of a list; null reads as an empty one."""
    items = value if isinstance(value, list) else []
    return [Document(item) for item in items if isinstance(item, dict)]


def parse_version(text: str) -> tuple[int, int]:
    """`1.41` → (1, 41), so that versions compare. Raises InvalidInput."""
    major, _, minor = text.removeprefix("v").partition(".")
    if not (major.isdigit() and minor.isdigit()):
        raise InvalidInput(f"not an API version: {text!r}")
    return int(major), int(minor)
