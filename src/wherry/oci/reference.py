"""Image references (distribution's grammar) and Docker's short names for them."""

import re
from typing import NamedTuple

from wherry.kit.errors import InvalidInput
from wherry.oci import digest as digests
from wherry.oci.digest import Digest

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
_LIBRARY = "library/"

_DOMAIN = re.compile(
    r"(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
    r"(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
)
_PATH_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PATH_PART}(?:/{_PATH_PART})*")
_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)


class Reference(NamedTuple):
    """A repository with an optional tag and an optional digest."""

    domain: str
    """Registry host, with its port where one was given; `docker.io` for Docker Hub."""
    path: str
    """Repository below the registry; `library/` is spelled out."""
    tag: str | None = None
    digest: Digest | None = None

    @property
    def repository(self) -> str:
        """Full name without tag and digest."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_repository(self) -> str:
        """The name as Docker shows it: Hub's domain and `library/` left out."""
        if self.domain != DEFAULT_DOMAIN:
            return self.repository
        return self.path.removeprefix(_LIBRARY)

    @property
    def familiar(self) -> str:
        """The whole reference as Docker shows it."""
        return self.familiar_repository + self._suffix()

    def __str__(self) -> str:
        return self.repository + self._suffix()

    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return tag + (f"@{self.digest}" if self.digest else "")

    def with_default_tag(self) -> "Reference":
        """`latest` where neither tag nor digest is given."""
        if self.tag is None and self.digest is None:
            return self._replace(tag=DEFAULT_TAG)
        return self

    def with_tag(self, tag: str) -> "Reference":
        """The same repository with this tag alone. Raises InvalidInput."""
        return self._replace(tag=check_tag(tag), digest=None)


def check_tag(tag: str) -> str:
    """The tag, if its form is right. Raises InvalidInput."""
    if not _TAG.fullmatch(tag):
        raise InvalidInput(f"invalid tag format: {tag!r}")
    return tag


def parse(text: str) -> Reference:
    """Read a reference in its familiar or its full form. Raises InvalidInput."""
    if digests.ENCODED["sha256"].fullmatch(text):
        raise InvalidInput(
            f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
        )
    rest, tag, digest = _split(text)
    domain, path = _split_domain(rest)
    if path.lower() != path:
        raise InvalidInput(f"invalid reference format: repository name ({path}) must be lowercase")
    if not _DOMAIN.fullmatch(domain) or not _PATH.fullmatch(path):
        raise InvalidInput(f"invalid reference format: {text!r}")
    if len(path) > 255:
        raise InvalidInput(
            "invalid reference format: repository name must not be more than 255 characters"
        )
    if tag is not None and not _TAG.fullmatch(tag):
        raise InvalidInput(f"invalid reference format: tag {tag!r}")
    return Reference(domain, path, tag, digest)


def _split(text: str) -> tuple[str, str | None, Digest | None]:
    rest, at, encoded = text.partition("@")
    digest = digests.parse(encoded) if at else None
    colon = rest.rfind(":")
    if colon > rest.rfind("/"):
        return rest[:colon], rest[colon + 1 :], digest
    return rest, None, digest


def _split_domain(rest: str) -> tuple[str, str]:
    head, slash, tail = rest.partition("/")
    is_host = "." in head or ":" in head or head == "localhost" or head.lower() != head
    if slash and is_host:
        domain, path = ("docker.io" if head == "index.docker.io" else head), tail
    else:
        domain, path = DEFAULT_DOMAIN, rest
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = _LIBRARY + path
    return domain, path
