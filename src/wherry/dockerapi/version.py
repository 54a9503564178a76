"""Versions of the Docker Remote API."""

import re
from typing import NamedTuple

from wherry.kit.errors import InvalidInput

_FORM = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")


class ApiVersion(NamedTuple):
    """`1.41` as a pair that compares as a version does (1.9 < 1.12)."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


MINIMUM = ApiVersion(1, 12)
MAXIMUM = ApiVersion(1, 51)


def parse(text: str) -> ApiVersion:
    """`1.41` or `v1.41`. Raises InvalidInput."""
    match = _FORM.fullmatch(text.removeprefix("v"))
    if match is None:
        raise InvalidInput(f"invalid API version {text!r}: want a form like 1.41")
    return ApiVersion(int(match[1]), int(match[2]))


def accept(text: str | None) -> ApiVersion:
    """The version of a request's path, MAXIMUM without one. Raises InvalidInput as dockerd does."""
    if not text:
        return MAXIMUM
    version = parse(text)
    if version < MINIMUM:
        raise InvalidInput(
            f"client version {text} is too old. Minimum supported API version is {MINIMUM},"
            " please upgrade your client to a newer version"
        )
    if version > MAXIMUM:
        raise InvalidInput(
            f"client version {text} is too new. Maximum supported API version is {MAXIMUM}"
        )
    return version
