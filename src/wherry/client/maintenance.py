"""Routes that only this engine has; Docker's answers 404."""

from wherry.client.client import Client, get, post
from wherry.client.document import Document
from wherry.kit.errors import NotFound, Unsupported


def check(client: Client, *, repair: bool) -> list[Document]:
    """What is inconsistent: objects with Kind, Name, Problem, Repaired. Raises Unsupported."""
    try:
        answer = post(client, "/wherry/fsck") if repair else get(client, "/wherry/fsck")
    except NotFound as error:
        raise Unsupported("this engine has no fsck") from error
    return answer.children("Findings")
