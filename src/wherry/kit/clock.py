"""Time as the Docker API writes it: RFC 3339 in UTC with nanoseconds. Units are nanoseconds."""

import re
import time

from wherry.kit.errors import InvalidInput

SECOND = 1_000_000_000
ZERO = "0001-01-01T00:00:00Z"
"""Go's zero time: what Docker's API shows where nothing has happened yet."""

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?"
    r"(?:([Zz])|([+-])(\d\d):?(\d\d))?"
)


def now() -> int:
    """Nanoseconds since the epoch."""
    return time.time_ns()


def rfc3339(ns: int | None) -> str:
    """Nanoseconds since the epoch in Go's RFC3339Nano form (trailing zeros dropped).

    None gives Go's zero time.
    """
    if ns is None:
        return ZERO
    seconds, fraction = divmod(ns, SECOND)
    head = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    if not fraction:
        return head + "Z"
    return f"{head}.{fraction:09d}".rstrip("0") + "Z"


def parse_rfc3339(text: str) -> int:
    """The inverse of rfc3339; a missing zone means UTC. Raises InvalidInput."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise InvalidInput(f"not an RFC 3339 time: {text!r}")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction = int((match[7] or "0").ljust(9, "0"))
    offset = 0
    if match[9]:
        offset = (int(match[10]) * 3600 + int(match[11]) * 60) * (-1 if match[9] == "-" else 1)
    # timegm without the calendar module: days since the epoch by the civil-from-days formula
    shifted = year - (month <= 2)
    era_year = shifted % 400
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    day_of_era = era_year * 365 + era_year // 4 - era_year // 100 + day_of_year
    days = (shifted // 400) * 146097 + day_of_era - 719468
    return (days * 86400 + hour * 3600 + minute * 60 + second - offset) * SECOND + fraction
