"""The prune routes of the API, and ours that only say what they would take."""

from wherry.client.client import Client, get, post
from wherry.client.containers import Filters, filter_query
from wherry.client.document import Document
from wherry.kit.errors import NotFound, Unsupported


def prune(client: Client, kind: str, filters: Filters) -> Document:
    """Remove unused `containers`, `images`, …: `<Kind>Deleted`, SpaceReclaimed (bytes)."""
    return post(client, f"/{kind}/prune", filter_query(filters))


def would_prune(client: Client, kind: str, filters: Filters) -> Document:
    """What a prune would answer. Raises Unsupported: Docker has no such route."""
    try:
        return get(client, f"/wherry/prune/{kind}", filter_query(filters))
    except NotFound as error:
        raise Unsupported("this engine cannot say what a prune would take") from error
