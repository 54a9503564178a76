"""The request behind `pull` and behind `run` with a missing image."""

from collections.abc import Iterator

from wherry.cli.session import Session
from wherry.client import images
from wherry.client.config import registry_auth
from wherry.client.document import Document
from wherry.oci.reference import Reference


def pull_messages(
    session: Session, reference: Reference, platform: str = "", *, all_tags: bool = False
) -> Iterator[Document]:
    """Progress of pulling a reference with the stored credentials of its registry."""
    named = reference if all_tags else reference.with_default_tag()
    query = {"fromImage": named.familiar_repository, "tag": named.digest or named.tag or ""}
    if all_tags:
        del query["tag"]
    if platform:
        query["platform"] = platform
    return images.pull(session.client, query, registry_auth(session.config, named.domain))
