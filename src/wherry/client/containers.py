"""The container routes of the API."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from wherry.client import http
from wherry.client.client import Client, get, get_list, post
from wherry.client.connection import Hijacked
from wherry.client.document import Document, Json, document, encode

Filters = Mapping[str, list[str]]


class Created(NamedTuple):
    """A new container's id, and what the engine wants to be known about it."""

    id: str
    warnings: tuple[str, ...]


class Exit(NamedTuple):
    """How a container ended: its code, or the engine's error while waiting."""

    code: int
    error: str = ""


class Streams(NamedTuple):
    """Which streams an attach carries."""

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    logs: bool = False
    detach_keys: str = ""


def route(container: str, tail: str = "") -> str:
    """`/containers/<name>` with the name quoted, and a tail."""
    return f"/containers/{http.quote(container)}{tail}"


def filter_query(filters: Filters) -> dict[str, str]:
    """Filters as a query parameter, in the form that every API version since 1.22 reads."""
    if not filters:
        return {}
    shape: Json = {name: dict.fromkeys(values, True) for name, values in sorted(filters.items())}
    return {"filters": encode(shape).decode()}


def listing(
    client: Client,
    *,
    stopped: bool = False,
    limit: int = 0,
    size: bool = False,
    filters: Filters | None = None,
) -> list[Document]:
    """Container summaries, newest first; `limit` counts stopped ones too."""
    query = filter_query(filters or {})
    if stopped:
        query["all"] = "1"
    if limit > 0:
        query["limit"] = str(limit)
    if size:
        query["size"] = "1"
    return get_list(client, "/containers/json", query)


def inspect(client: Client, container: str, *, size: bool = False) -> Document:
    """All that the engine knows of a container. Raises NotFound."""
    return get(client, route(container, "/json"), {"size": "1"} if size else {})


def create(
    client: Client, body: Mapping[str, Json], *, name: str = "", platform: str = ""
) -> Created:
    """Make a container from a create request. Raises NotFound where the image is missing."""
    query = {key: value for key, value in (("name", name), ("platform", platform)) if value}
    answer = post(client, "/containers/create", query, dict(body))
    return Created(answer.text("Id"), tuple(answer.texts("Warnings")))


def start(client: Client, container: str) -> None:
    """Start it; starting a running one does nothing."""
    client.json("POST", route(container, "/start"))


def stop(client: Client, container: str, seconds: int | None = None) -> None:
    """Stop it: its stop signal, then SIGKILL after the seconds (None: its own timeout)."""
    client.json("POST", route(container, "/stop"), _seconds(seconds))


def restart(client: Client, container: str, seconds: int | None = None) -> None:
    """Stop and start it."""
    client.json("POST", route(container, "/restart"), _seconds(seconds))


def _seconds(seconds: int | None) -> dict[str, str]:
    return {} if seconds is None else {"t": str(seconds)}


def kill(client: Client, container: str, signal: str) -> None:
    """Send a signal, by name or number. Raises Conflict where it is not running."""
    client.json("POST", route(container, "/kill"), {"signal": signal})


def pause(client: Client, container: str) -> None:
    """Freeze all its processes."""
    client.json("POST", route(container, "/pause"))


def unpause(client: Client, container: str) -> None:
    """Let its processes go on."""
    client.json("POST", route(container, "/unpause"))


def rename(client: Client, container: str, name: str) -> None:
    """Give it another name. Raises Conflict where that is taken."""
    client.json("POST", route(container, "/rename"), {"name": name})


def remove(
    client: Client,
    container: str,
    *,
    force: bool = False,
    volumes: bool = False,
    link: bool = False,
) -> None:
    """Remove it (with its anonymous volumes), or only a link of that name."""
    chosen = (("force", force), ("v", volumes), ("link", link))
    client.json("DELETE", route(container), {name: "1" for name, on in chosen if on})


def wait(client: Client, container: str, condition: str = "") -> "Waiting":
    """Begin to wait (`not-running`, `next-exit`, `removed`): the engine is already watching."""
    query = {"condition": condition} if condition else {}
    return Waiting(client.request("POST", route(container, "/wait"), query))


class Waiting:
    """A wait under way."""

    def __init__(self, answer: http.Response) -> None:
        self._answer = answer

    def result(self) -> Exit:
        """Block until the condition is met."""
        found = document(self._answer.read())
        return Exit(found.number("StatusCode"), found.text("Error", "Message"))


def attach(client: Client, container: str, streams: Streams) -> Hijacked:
    """Its standard streams as one socket, multiplexed unless it has a terminal."""
    query = {"stream": "1", **_chosen(streams)}
    return client.hijack(route(container, "/attach"), query)


def _chosen(streams: Streams) -> dict[str, str]:
    query = {name: "1" for name in ("stdin", "stdout", "stderr", "logs") if getattr(streams, name)}
    if streams.detach_keys:
        query["detachKeys"] = streams.detach_keys
    return query


def resize(client: Client, container: str, columns: int, lines: int) -> None:
    """Set its terminal's size in characters."""
    query = {"h": str(lines), "w": str(columns)}
    client.json("POST", route(container, "/resize"), query)


def logs(client: Client, container: str, query: Mapping[str, str]) -> Iterator[bytes]:
    """Its log, multiplexed unless it has a terminal; query parameters as in the API."""
    return iter(client.request("GET", route(container, "/logs"), query))


def top(client: Client, container: str, arguments: str = "") -> Document:
    """Its processes as `ps` shows them: Titles and Processes."""
    return get(client, route(container, "/top"), {"ps_args": arguments} if arguments else {})


def stats(client: Client, container: str, *, stream: bool) -> Iterator[Document]:
    """Resource use, one object a second, or one alone."""
    return client.messages("GET", route(container, "/stats"), {"stream": "1" if stream else "0"})


def changes(client: Client, container: str) -> list[Document]:
    """What differs from the image: Path and Kind (0 changed, 1 added, 2 deleted)."""
    return get_list(client, route(container, "/changes"))


def update(client: Client, container: str, body: Mapping[str, Json]) -> list[str]:
    """Change resource limits and the restart policy; the engine's warnings."""
    return post(client, route(container, "/update"), {}, dict(body)).texts("Warnings")


def path_stat(client: Client, container: str, path: str) -> Document:
    """A path's name, size, mode (Go's bits), mtime and linkTarget. Raises NotFound."""
    answer = client.request("HEAD", route(container, "/archive"), {"path": path})
    return _path_stat(answer)


def archive(
    client: Client, container: str, path: str, *, exact: bool = False
) -> tuple[Document, Iterator[bytes]]:
    """A path of the container as a tar stream, and its stat.

    `exact` asks a wherry for holes as holes, and for an error in the stream where a file changes.
    """
    query = {"path": path, "wherry.exact": "1"} if exact else {"path": path}
    answer = client.request("GET", route(container, "/archive"), query)
    return _path_stat(answer), iter(answer)


class Extraction(NamedTuple):
    """Options of `extract`."""

    container_owner: bool = False
    """Everything is given to the container's user."""
    staged: bool = False
    """All of it or nothing; only a wherry knows how."""
    replace_folders: bool = False
    """Whether a file may take the place of a directory, and the reverse."""


def extract(
    client: Client, container: str, path: str, tar: Iterator[bytes], how: Extraction
) -> None:
    """Unpack a tar stream into a directory of the container."""
    query = {"path": path, "noOverwriteDirNonDir": "false" if how.replace_folders else "true"}
    if how.container_owner:
        query["copyUIDGID"] = "true"
    if how.staged:
        query["wherry.staged"] = "1"
    headers = {"Content-Type": "application/x-tar"}
    client.request("PUT", route(container, "/archive"), query, tar, headers).read()


def export(client: Client, container: str) -> Iterator[bytes]:
    """The whole file system as a tar stream."""
    return iter(client.request("GET", route(container, "/export")))


def _path_stat(answer: http.Response) -> Document:
    import base64

    header = answer.headers.get("x-docker-container-path-stat", "")
    return document(base64.b64decode(header) or b"{}")
