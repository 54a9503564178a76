"""What loading an archive gives, and the checks all forms of archive share."""

from collections.abc import Iterable
from typing import NamedTuple

from wherry.image.errors import BadArchive
from wherry.oci import reference
from wherry.oci.config import ImageConfig
from wherry.oci.digest import Digest


class LoadedImage(NamedTuple):
    """One image out of an archive, its blobs being in the store."""

    target: Digest
    """What the archive named: an index, or the manifest itself."""
    manifest: Digest
    config: Digest
    """Docker's image id."""
    names: tuple[str, ...]
    """Familiar references with their tags; may be empty."""


def familiar_names(names: Iterable[str]) -> tuple[str, ...]:
    """Check names and bring them into Docker's short form, each once. Raises BadArchive."""
    parsed = [reference.parse(name) for name in names]
    for ref in parsed:
        if ref.tag is None:
            raise BadArchive(f"invalid tag {ref.familiar!r}")
    return tuple(dict.fromkeys(ref.familiar for ref in parsed))


def check_system(config: ImageConfig) -> None:
    """Raises BadArchive for an image of another operating system, with dockerd's text."""
    if config.os not in ("", "linux"):
        raise BadArchive(f"cannot load {config.os} image on linux")
