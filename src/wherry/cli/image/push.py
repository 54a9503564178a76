"""`wherry push`."""

from wherry.cli import progress
from wherry.cli.command import Arity, Command, Failed
from wherry.cli.flags import switch
from wherry.cli.session import Session
from wherry.client import images
from wherry.client.config import registry_auth
from wherry.oci import reference as references


def push(session: Session, arguments: list[str], *, all_tags: bool, quiet: bool) -> None:
    """Push a tag, or all tags of a repository, to its registry."""
    named = references.parse(arguments[0])
    if all_tags and (named.tag or named.digest):
        raise Failed("tag can't be used with --all-tags/-a")
    if not all_tags and named != named.with_default_tag() and not quiet:
        session.print(f"Using default tag: {references.DEFAULT_TAG}")
    wanted = named if all_tags else named.with_default_tag()
    auth = registry_auth(session.config, named.domain)
    messages = images.push(session.client, wanted.familiar_repository, wanted.tag or "", auth)
    if quiet:
        progress.drain(messages)
        session.print(str(wanted))
    else:
        progress.display(messages)


command = Command(
    "push",
    push,
    "Upload an image to a registry",
    usage="NAME[:TAG]",
    arity=Arity(1, 1),
    flags=(
        switch("all-tags a", "Push all tags of an image to the repository"),
        switch("quiet q", "Suppress verbose output"),
    ),
)
