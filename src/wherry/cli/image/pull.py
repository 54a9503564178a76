"""`wherry pull`."""

from wherry.cli import progress
from wherry.cli.command import Arity, Command, Failed
from wherry.cli.flags import Flag, switch, text
from wherry.cli.image.pulling import pull_messages
from wherry.cli.session import Session
from wherry.cli.values import boolean
from wherry.oci import platform as platforms
from wherry.oci import reference as references


def pull(
    session: Session,
    arguments: list[str],
    *,
    all_tags: bool,
    disable_content_trust: bool,
    platform: str,
    quiet: bool,
) -> None:
    """Pull an image from a registry."""
    if not disable_content_trust:
        raise Failed("content trust comes in a later release")
    named = references.parse(arguments[0])
    if all_tags and (named.tag or named.digest):
        raise Failed("tag can't be used with --all-tags/-a")
    if not all_tags and named != named.with_default_tag() and not quiet:
        session.print(f"Using default tag: {references.DEFAULT_TAG}")
    wanted = str(platforms.parse(platform)) if platform else ""
    messages = pull_messages(session, named, wanted, all_tags=all_tags)
    if quiet:
        progress.drain(messages)
    else:
        progress.display(messages)
    session.print(str(named if all_tags else named.with_default_tag()))


command = Command(
    "pull",
    pull,
    "Pull an image or a repository from a registry",
    usage="NAME[:TAG|@DIGEST]",
    arity=Arity(1, 1),
    flags=(
        switch("all-tags a", "Download all tagged images in the repository"),
        Flag(
            "disable-content-trust",
            "bool",
            "Skip image verification",
            read=boolean,
            default=True,
        ),
        text("platform", "Set platform if server is multi-platform capable"),
        switch("quiet q", "Suppress verbose output"),
    ),
)
