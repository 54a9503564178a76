"""The routes about the engine itself."""

from collections.abc import Iterator, Mapping

from wherry.client.client import Client, get, post
from wherry.client.document import Document, Json


def info(client: Client) -> Document:
    """The engine's numbers, abilities and warnings."""
    return get(client, "/info")


def version(client: Client) -> Document:
    """Versions of the engine and its parts."""
    return get(client, "/version")


def events(client: Client, query: Mapping[str, str]) -> Iterator[Document]:
    """What happens in the engine, as it happens (`since`, `until`, `filters`)."""
    return client.messages("GET", "/events", query)


def login(client: Client, username: str, password: str, server: str) -> Document:
    """Try credentials at a registry: Status, IdentityToken. Raises Unauthenticated."""
    body: dict[str, Json] = {
        "username": username,
        "password": password,
        "serveraddress": server,
    }
    return post(client, "/auth", {}, body)


def disk_usage(client: Client) -> Document:
    """Sizes of images, containers, volumes and the build cache, in bytes."""
    return get(client, "/system/df")
