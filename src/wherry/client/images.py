"""The image routes of the API."""

from collections.abc import Iterable, Iterator, Sequence

from wherry.client import http
from wherry.client.client import Client, as_documents, get, get_list, post
from wherry.client.containers import Filters, filter_query
from wherry.client.document import Document, decode


def route(image: str, tail: str = "") -> str:
    """`/images/<reference>`; slashes of the reference stay as they are."""
    return f"/images/{http.quote(image, '/:@')}{tail}"


def listing(
    client: Client,
    *,
    intermediate: bool = False,
    filters: Filters | None = None,
) -> list[Document]:
    """Image summaries; `intermediate` shows the untagged layers of builds too."""
    query = filter_query(filters or {})
    if intermediate:
        query["all"] = "1"
    return get_list(client, "/images/json", query)


def inspect(client: Client, image: str) -> Document:
    """All that the engine knows of an image. Raises NotFound."""
    return get(client, route(image, "/json"))


def history(client: Client, image: str) -> list[Document]:
    """The steps that made it, newest first."""
    return get_list(client, route(image, "/history"))


def pull(client: Client, query: http.Query, auth: str) -> Iterator[Document]:
    """Progress of a pull (`fromImage`, `tag`, `platform`)."""
    headers = {"X-Registry-Auth": auth} if auth else {}
    return client.messages("POST", "/images/create", query, headers=headers)


def push(client: Client, repository: str, tag: str, auth: str) -> Iterator[Document]:
    """Progress of a push of a tag, or without one of all of them."""
    query = {"tag": tag} if tag else {}
    path = route(repository, "/push")
    return client.messages("POST", path, query, headers={"X-Registry-Auth": auth})


def search(client: Client, query: http.Query, filters: Filters, auth: str) -> list[Document]:
    """What a registry finds for a `term` (at most `limit`)."""
    asked = {**query, **filter_query(filters)}
    headers = {"X-Registry-Auth": auth}
    return as_documents(
        decode(client.request("GET", "/images/search", asked, None, headers).read())
    )


def import_(client: Client, query: http.Query, tar: http.Body) -> Iterator[Document]:
    """Progress of making an image from a tar (`fromSrc`, `repo`, `tag`, `message`, `changes`)."""
    return client.messages("POST", "/images/create", query, tar, {"Content-Type": "text/plain"})


def load(client: Client, tar: Iterable[bytes], *, quiet: bool) -> Iterator[Document]:
    """Progress of reading saved images."""
    query = {"quiet": "1" if quiet else "0"}
    return client.messages(
        "POST", "/images/load", query, tar, {"Content-Type": "application/x-tar"}
    )


def save(client: Client, names: Sequence[str]) -> Iterator[bytes]:
    """Images as one tar stream that `load` reads."""
    return iter(client.request("GET", "/images/get", {"names": names}))


def tag(client: Client, image: str, repository: str, tag_name: str) -> None:
    """Give an image another name."""
    client.json("POST", route(image, "/tag"), {"repo": repository, "tag": tag_name})


def remove(
    client: Client, image: str, *, force: bool = False, prune: bool = True
) -> list[Document]:
    """Remove a name, and the image with its last one: objects with Untagged or Deleted."""
    query = {}
    if force:
        query["force"] = "1"
    if not prune:
        query["noprune"] = "1"
    return as_documents(client.json("DELETE", route(image), query))


def commit(client: Client, query: http.Query) -> str:
    """Make an image of a container (`container`, `repo`, `tag`, …); its id."""
    return post(client, "/commit", query, {}).text("Id")
