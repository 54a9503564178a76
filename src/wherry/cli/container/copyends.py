"""What is at the ends of a copy inside containers, by the engine's stat of a path."""

import posixpath

from wherry.cli.container import copypath
from wherry.cli.container.copypath import End, Place
from wherry.client import containers
from wherry.client.client import Client
from wherry.client.document import Document
from wherry.kit.errors import InvalidInput, NotFound

DIRECTORY = 1 << 31
LINK = 1 << 27
"""Go's bits of a file mode, as the stat header of the archive route has them."""


def is_directory(found: Document) -> bool:
    """Of a stat."""
    return bool(found.number("mode") & DIRECTORY)


def followed(client: Client, source: Place) -> tuple[str, str]:
    """The path that a link in the container leads to, and the name its content shall keep."""
    found = containers.path_stat(client, source.container, source.path)
    link = found.text("linkTarget")
    if not found.number("mode") & LINK or not link:
        return source.path, ""
    if not link.startswith("/"):
        link = posixpath.join(copypath.entry(source.path)[0], link)
    return copypath.rebased(source.path, link)


def target_end(client: Client, wanted: Place) -> End:
    """What is at a path of the container; what cannot be told counts as missing.

    The parent may exist; if not, the unpacking fails with the engine's own words.
    """
    path = wanted.path
    try:
        found = containers.path_stat(client, wanted.container, path)
        if found.number("mode") & LINK and found.text("linkTarget"):
            path = posixpath.join(copypath.entry(path)[0], found.text("linkTarget"))
            found = containers.path_stat(client, wanted.container, path)
    except (NotFound, InvalidInput):
        return End(path)
    return End(path, True, is_directory(found))
