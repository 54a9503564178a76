"""Times as people read them: "3 minutes ago", local time stamps; and as flags write them."""

import time

from wherry.kit.clock import SECOND, parse_rfc3339
from wherry.kit.errors import InvalidInput
from wherry.kit.units import parse_duration

_STEPS = (
    (46 * 60, 60, "minute"),
    (90 * 60, 0, "About an hour"),
    (48 * 3600, 3600, "hour"),
    (14 * 86400, 86400, "day"),
    (60 * 86400, 7 * 86400, "week"),
    (730 * 86400, 30 * 86400, "month"),
)


def human_duration(seconds: float) -> str:
    """A rough span in words, by Docker's steps."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole < 60:
        return "1 second" if whole == 1 else f"{whole} seconds"
    if whole < 120:
        return "About a minute"
    for limit, unit, name in _STEPS:
        if whole < limit:
            return f"{_count(whole, unit)} {name}s" if unit else name
    return f"{whole // (365 * 86400)} years"


def _count(seconds: int, unit: int) -> int:
    return int(seconds / 3600 + 0.5) if unit == 3600 else seconds // unit


def ago(epoch: float) -> str:
    """`5 minutes ago` for a time in seconds since the epoch."""
    return human_duration(time.time() - epoch) + " ago"


def local(epoch: int, fraction: str = "") -> str:
    """A time as Go prints it in the local zone: `2006-01-02 15:04:05 -0700 MST`."""
    moment = time.localtime(epoch)
    return time.strftime(f"%Y-%m-%d %H:%M:%S{fraction} %z %Z", moment)


def local_iso(epoch: int) -> str:
    """RFC 3339 in the local zone."""
    text = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(epoch))
    return text[:-5] + "Z" if text.endswith("+0000") else f"{text[:-2]}:{text[-2:]}"


def local_iso_nano(nanoseconds: int) -> str:
    """RFC 3339 in the local zone with nine digits of the second."""
    seconds, fraction = divmod(nanoseconds, SECOND)
    text = local_iso(seconds)
    return f"{text[:19]}.{fraction:09d}{text[19:]}"


def stamp_of(flag: str, text: str) -> str:
    """Like `stamp`, with the flag's name in the error. Raises InvalidInput."""
    try:
        return stamp(text)
    except InvalidInput as error:
        raise InvalidInput(f'invalid value for "{flag}": {error}') from error


def stamp(text: str) -> str:
    """`--since`, `--until`: a duration before now, a date, or seconds → seconds.nanoseconds.

    Raises InvalidInput.
    """
    if not text:
        return ""
    try:
        return _written(time.time_ns() - parse_duration(text))
    except InvalidInput:
        number, _, fraction = text.partition(".")
    if number.isdigit() and (not fraction or fraction.isdigit()):
        return text
    return _written(_date(text))


def _written(nanoseconds: int) -> str:
    seconds, fraction = divmod(nanoseconds, SECOND)
    return f"{seconds}.{fraction:09d}"


def _date(text: str) -> int:
    """A date with an optional time and zone; without a zone it is local."""
    try:
        return parse_rfc3339(text) if _has_zone(text) else _local_date(text)
    except (InvalidInput, ValueError) as error:
        raise InvalidInput(f'failed to parse value as time or duration: "{text}"') from error


def _has_zone(text: str) -> bool:
    return text.endswith(("Z", "z")) or "+" in text or text.count("-") == 3


def _local_date(text: str) -> int:
    forms = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H", "%Y-%m-%d")
    head, _, fraction = text.partition(".")
    for form in forms:
        try:
            seconds = int(time.mktime(time.strptime(head, form)))
        except ValueError:
            continue
        return seconds * SECOND + int((fraction or "0").ljust(9, "0")[:9])
    raise InvalidInput(text)
