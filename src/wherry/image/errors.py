"""What can be wrong with an image."""

from wherry.kit.errors import Corrupt, InvalidInput, NotFound


class BadArchive(InvalidInput):
    """The uploaded archive is not an image archive, or a hostile one."""


class LyingArchive(BadArchive, Corrupt):
    """Something in the uploaded archive is not what it claims to be: the sender's fault."""


class NoSuchPlatform(NotFound):
    """The index has no image for the wanted platform."""
