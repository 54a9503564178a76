"""The volume routes of the API."""

from wherry.client import http
from wherry.client.client import Client, get, post
from wherry.client.containers import Filters, filter_query
from wherry.client.document import Document, Json


def route(name: str) -> str:
    """`/volumes/<name>`."""
    return f"/volumes/{http.quote(name)}"


def listing(client: Client, filters: Filters) -> list[Document]:
    """All volumes, or those the filters select."""
    return get(client, "/volumes", filter_query(filters)).children("Volumes")


def create(client: Client, body: dict[str, Json]) -> str:
    """Make a volume (`Name`, `Driver`, `DriverOpts`, `Labels`); its name."""
    return post(client, "/volumes/create", {}, body).text("Name")


def remove(client: Client, name: str, *, force: bool = False) -> None:
    """Raises Conflict where a container has it, NotFound unless forced."""
    client.json("DELETE", route(name), {"force": "1"} if force else {})
