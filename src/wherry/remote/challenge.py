"""`WWW-Authenticate` (RFC 9110, 11.6.1) as registries send it."""

import re
from collections.abc import Iterable
from typing import NamedTuple

_SCHEME = re.compile(r"\s*,*\s*([A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]*)(?:\s+|$)(?!=)")
_PARAMETER = re.compile(
    r'\s*,?\s*([A-Za-z0-9!#$%&\'*+.^_`|~-]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s,"]+))'
)


class Challenge(NamedTuple):
    """A way to prove who we are: scheme in lower case, parameters by name in lower case."""

    scheme: str
    parameters: dict[str, str]


def parse(headers: Iterable[str]) -> list[Challenge]:
    """All challenges, those that cannot be read left out."""
    return [challenge for header in headers for challenge in _parse_one(header)]


def _parse_one(header: str) -> list[Challenge]:
    found: list[Challenge] = []
    at = 0
    while match := _SCHEME.match(header, at):
        parameters: dict[str, str] = {}
        at = match.end()
        while parameter := _PARAMETER.match(header, at):
            value = parameter[3] if parameter[2] is None else re.sub(r"\\(.)", r"\1", parameter[2])
            parameters[parameter[1].lower()] = value
            at = parameter.end()
        found.append(Challenge(match[1].lower(), parameters))
    return found
