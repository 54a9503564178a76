"""Moments in queries and filters: Unix seconds with a fraction, RFC 3339, or how long ago."""

import re
from typing import Final

from wherry.dockerapi.filters import Filters
from wherry.kit import clock
from wherry.kit.errors import InvalidInput
from wherry.kit.units import parse_duration

_UNIX: Final = re.compile(r"(-?[0-9]{1,18})(?:\.([0-9]{1,9})[0-9]*)?")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)?")
_FULL: Final = "0000-01-01T00:00:00"


def moment(text: str) -> int | None:
    """Nanoseconds since the epoch, None for an empty text. Raises InvalidInput.

    `1136073600.5`, `2006-01-02`, `2006-01-02T15:04`, `2006-01-02T15:04:05Z`, `10m`, `1h30m`.
    """
    if not text:
        return None
    unix = _UNIX.fullmatch(text)
    if unix is not None:
        sign = -1 if text.startswith("-") else 1
        fraction = int((unix[2] or "0").ljust(9, "0"))
        return int(unix[1]) * clock.SECOND + sign * fraction
    if _DATE.fullmatch(text):
        return clock.parse_rfc3339(text + _FULL[len(text) :])
    try:
        return clock.parse_rfc3339(text)
    except InvalidInput:
        return _ago(text)


def _ago(text: str) -> int:
    try:
        return clock.now() - parse_duration(text)
    except InvalidInput as error:
        raise InvalidInput(f'failed to parse value as time or duration: "{text}"') from error


def pruned_until(filters: Filters) -> int | None:
    """What is younger stays when things are pruned: the one `until`. Raises InvalidInput."""
    texts = filters.get("until")
    if len(texts) > 1:
        raise InvalidInput("more than one until filter specified")
    return moment(texts[0]) if texts else None
