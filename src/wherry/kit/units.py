"""Sizes and durations, read and written the way Docker's clients do."""

import re

from wherry.kit.errors import InvalidInput

_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgtp]?)(i?b)?\s*", re.IGNORECASE)
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)")
_FACTOR = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}


def parse_size(text: str) -> int:
    """`512m`, `1.5GiB`, `42` → bytes, by powers of 1024. Raises InvalidInput."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise InvalidInput(f"invalid size: {text!r} (examples: 64m, 1.5g, 4096)")
    return int(float(match[1]) * _FACTOR[match[2].lower()])


def human_size(count: float, digits: int = 3) -> str:
    """Bytes with that many significant digits by powers of 1000, as `docker images` shows them."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if value < 1000 or unit == "PB":
            break
        value /= 1000
    return f"{value:.{digits}g}{unit}" if value < 1000 else f"{value:.0f}{unit}"


def human_size_binary(count: float) -> str:
    """Bytes with four significant digits by powers of 1024, as `docker stats` shows memory."""
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 1024 or unit == "PiB":
            break
        value /= 1024
    return f"{value:.4g}{unit}"


def parse_duration(text: str) -> int:
    """Go's duration (`1h30m`, `250ms`, `0`) → nanoseconds. Raises InvalidInput."""
    body = text.strip()
    sign = -1 if body.startswith("-") else 1
    body = body.lstrip("+-")
    if body == "0":
        return 0
    total, at = 0.0, 0
    for match in _DURATION_PART.finditer(body):
        if match.start() != at:
            break
        total += float(match[1]) * _NANOSECONDS[match[2]]
        at = match.end()
    if not body or at != len(body):
        raise InvalidInput(f"invalid duration: {text!r} (examples: 30s, 1m30s, 500ms)")
    return sign * int(total)
