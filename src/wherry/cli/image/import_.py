"""`wherry import`."""

from wherry.cli import archives, progress
from wherry.cli.command import Arity, Command
from wherry.cli.flags import listing, text
from wherry.cli.session import Session
from wherry.client import images
from wherry.client.http import Body
from wherry.oci import platform as platforms
from wherry.oci import reference as references


def import_image(
    session: Session, arguments: list[str], *, change: list[str], message: str, platform: str
) -> None:
    """Create an image from a tar of a file system: a file, a URL, or standard input."""
    source = arguments[0]
    query: dict[str, str | list[str]] = {"message": message, "changes": change}
    if len(arguments) > 1:
        references.parse(arguments[1])
        query["repo"] = arguments[1]
    if platform:
        query["platform"] = str(platforms.parse(platform))
    body: Body = None
    query["fromSrc"] = source
    if not source.startswith(("http://", "https://")):
        archives.check_readable(source)
        query["fromSrc"], body = "-", archives.blocks(source)
    progress.display(images.import_(session.client, query, body))


command = Command(
    "import",
    import_image,
    "Import the contents from a tarball to create a filesystem image",
    usage="file|URL|- [REPOSITORY[:TAG]]",
    arity=Arity(1, 2),
    flags=(
        listing("change c", "Apply Dockerfile instruction to the created image"),
        text("message m", "Set commit message for imported image"),
        text("platform", "Set platform if server is multi-platform capable"),
    ),
)
