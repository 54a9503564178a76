"""The routes about the engine itself."""

from collections.abc import Iterator, Mapping

from wherry.client.client import Client, get
from wherry.client.document import Document


def info(client: Client) -> Document:
    """The engine's numbers, abilities and warnings."""
    return get(client, "/info")


def version(client: Client) -> Document:
    """Versions of the engine and its parts."""
    return get(client, "/version")


def events(client: Client, query: Mapping[str, str]) -> Iterator[Document]:
    """What happens in the engine, as it happens (`since`, `until`, `filters`)."""
    return client.messages("GET", "/events", query)


def disk_usage(client: Client) -> Document:
    """Sizes of images, containers, volumes and the build cache, in bytes."""
    return get(client, "/system/df")
