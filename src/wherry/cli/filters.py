"""`--filter name=value`."""

from collections.abc import Sequence

from wherry.cli.flags import Flag
from wherry.kit.errors import InvalidInput

Filters = dict[str, list[str]]


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput("bad format of filter (expected name=value)")
    return name.strip().lower(), value.strip()


def filter_flag(help: str = "Filter output based on conditions provided") -> Flag:
    """The flag; its values are pairs."""
    return Flag("filter f", "filter", help, read=_pair, many=True)


def gathered(pairs: Sequence[tuple[str, str]]) -> Filters:
    """Pairs as the API's filters: every name with all its values."""
    made: Filters = {}
    for name, value in pairs:
        made.setdefault(name, []).append(value)
    return made
