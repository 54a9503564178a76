"""Flag values of simple kinds, read by Go's rules and refused with Docker's words."""

from wherry.kit.errors import InvalidInput
from wherry.kit.units import parse_duration, parse_size

_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


def boolean(text: str) -> bool:
    """Go's strconv.ParseBool. Raises InvalidInput."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise InvalidInput(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def _number(text: str, call: str) -> int:
    body = text[1:] if text[:1] in ("+", "-") else text
    octal = len(body) > 1 and body.isdigit() and body[0] == "0"
    try:
        value = int(body, 8) if octal else int(body, 0)
        if not body or not body[0].isdigit():
            raise ValueError
    except ValueError as error:
        raise InvalidInput(f'strconv.{call}: parsing "{text}": invalid syntax') from error
    return -value if text.startswith("-") else value


def integer(text: str) -> int:
    """A signed 64-bit number. Raises InvalidInput."""
    value = _number(text, "ParseInt")
    if not -(1 << 63) <= value < 1 << 63:
        raise InvalidInput(f'strconv.ParseInt: parsing "{text}": value out of range')
    return value


def uint16(text: str) -> int:
    """A number from 0 to 65535. Raises InvalidInput."""
    if text[:1] in ("+", "-"):
        raise InvalidInput(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    value = _number(text, "ParseUint")
    if value >= 1 << 16:
        raise InvalidInput(f'strconv.ParseUint: parsing "{text}": value out of range')
    return value


def size(text: str) -> int:
    """Bytes with an optional unit by powers of 1024. Raises InvalidInput."""
    try:
        return parse_size(text)
    except InvalidInput as error:
        raise InvalidInput(f"invalid size: '{text}'") from error


def swap_size(text: str) -> int:
    """Like size; -1 means unlimited."""
    return -1 if text == "-1" else size(text)


def duration(text: str) -> int:
    """Go's duration as nanoseconds. Raises InvalidInput."""
    try:
        return parse_duration(text)
    except InvalidInput as error:
        missing = text.strip().lstrip("+-").replace(".", "", 1).isdigit()
        why = "missing unit in duration" if missing else "invalid duration"
        raise InvalidInput(f'time: {why} "{text}"') from error


def nano_cpus(text: str) -> int:
    """`1.5` CPUs → billionths. Raises InvalidInput."""
    from decimal import Decimal, InvalidOperation
    from fractions import Fraction

    try:
        whole = Fraction(text) if "/" in text else Fraction(Decimal(text))
    except (ValueError, InvalidOperation, ZeroDivisionError, OverflowError) as error:
        raise InvalidInput(f"failed to parse {text} as a rational number") from error
    nano = whole * 1_000_000_000
    if nano.denominator != 1:
        raise InvalidInput("value is too precise")
    return int(nano)


def split_fields(text: str) -> list[str]:
    """One CSV record, as `--mount` and `--gpus` are written. Raises InvalidInput."""
    import csv

    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise InvalidInput(f"parse error on line 1: {error}") from error
    if not rows or not rows[0]:
        raise InvalidInput("EOF")
    return rows[0]
