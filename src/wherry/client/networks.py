"""The network routes of the API."""

from wherry.client import http
from wherry.client.client import Client, get, get_list, post
from wherry.client.containers import Filters, filter_query
from wherry.client.document import Document, Json


def route(name: str) -> str:
    """`/networks/<name>`."""
    return f"/networks/{http.quote(name)}"


def listing(client: Client, filters: Filters) -> list[Document]:
    """All networks, or those the filters select."""
    return get_list(client, "/networks", filter_query(filters))


def inspect(client: Client, name: str, *, verbose: bool = False) -> Document:
    """One network with its containers. Raises NotFound."""
    return get(client, route(name), {"verbose": "true"} if verbose else {})


def create(client: Client, body: dict[str, Json]) -> Document:
    """Make a network; `Id` and `Warning`."""
    return post(client, "/networks/create", {}, body)


def connect(client: Client, name: str, container: str, settings: Json) -> None:
    """Put a container into a network; `settings` is its EndpointConfig, or None."""
    body: dict[str, Json] = {"Container": container, "EndpointConfig": settings}
    client.json("POST", f"{route(name)}/connect", {}, body)


def disconnect(client: Client, name: str, container: str, *, force: bool = False) -> None:
    """Take a container out of a network."""
    body: dict[str, Json] = {"Container": container, "Force": force}
    client.json("POST", f"{route(name)}/disconnect", {}, body)


def remove(client: Client, name: str) -> None:
    """Raises NotFound, NotPermitted where containers are in it."""
    client.json("DELETE", route(name))
