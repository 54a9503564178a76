"""The functions of Docker's templates and of Go's."""

import json
import re
from collections.abc import Callable, Mapping

from wherry.cli.template.nodes import TemplateError
from wherry.cli.template.values import as_json, at_index, go_type, is_true, shown

_VERB = re.compile(r"%(?P<flags>[-+# 0]*\d*(?:\.\d+)?)(?P<verb>[a-zA-Z%])")


def _length(value: object) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, Mapping | list):
        return len(value)
    if value is None:
        return 0
    raise TemplateError(f"error calling len: len of type {go_type(value)}")


def _join(value: object, separator: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, list):
        raise TemplateError(f"error calling join: {go_type(value)} is no list of strings")
    return shown(separator).join(shown(item) for item in value)


def _split(text: object, separator: object) -> list[object]:
    return list(shown(text).split(shown(separator)))


def _pad(text: object, before: object, after: object) -> str:
    if not shown(text):
        return ""
    return " " * _whole(before) + shown(text) + " " * _whole(after)


def _truncate(text: object, length: object) -> str:
    return shown(text)[: _whole(length)]


def _whole(value: object) -> int:
    if isinstance(value, int):
        return value
    raise TemplateError(f"wrong type for value; expected int; got {go_type(value)}")


def _index(value: object, *keys: object) -> object:
    for key in keys:
        value = at_index(value, key)
    return value


def _slice(value: object, *bounds: object) -> object:
    if not isinstance(value, str | list):
        raise TemplateError(f"error calling slice: can't slice item of type {go_type(value)}")
    start, end = ([_whole(bound) for bound in bounds] + [0, len(value)][len(bounds) :])[:2]
    return value[start:end]


def _printf(form: object, *values: object) -> str:
    left = list(values)

    def one(match: re.Match[str]) -> str:
        if match["verb"] == "%":
            return "%"
        if not left:
            return f"%!{match['verb']}(MISSING)"
        return _verb(match["flags"], match["verb"], left.pop(0))

    return _VERB.sub(one, shown(form))


def _verb(flags: str, verb: str, value: object) -> str:
    if verb == "q":
        return json.dumps(shown(value), ensure_ascii=False)
    if verb in "dxXofeEg" and isinstance(value, int | float):
        number = int(value) if verb in "dxXo" else float(value)
        return f"%{flags}{verb}" % number
    if verb == "x":
        return shown(value).encode().hex()
    return f"%{flags}s" % shown(value)


def _equal(first: object, *others: object) -> bool:
    return any(first == other for other in others)


def _less(first: object, second: object) -> bool:
    if isinstance(first, int | float) and isinstance(second, int | float):
        return first < second
    if isinstance(first, str) and isinstance(second, str):
        return first < second
    raise TemplateError("error calling lt: incompatible types for comparison")


def _sprint(*values: object) -> str:
    parts = [""]
    for before, value in zip((None, *values), values, strict=False):
        spaced = parts[-1] and not isinstance(before, str) and not isinstance(value, str)
        parts.append((" " if spaced else "") + shown(value))
    return "".join(parts)


FUNCTIONS: dict[str, Callable[..., object]] = {
    "json": as_json,
    "split": _split,
    "join": _join,
    "title": lambda value: shown(value).title(),
    "lower": lambda value: shown(value).lower(),
    "upper": lambda value: shown(value).upper(),
    "pad": _pad,
    "truncate": _truncate,
    "print": _sprint,
    "println": lambda *values: " ".join(shown(value) for value in values) + "\n",
    "printf": _printf,
    "len": _length,
    "index": _index,
    "slice": _slice,
    "not": lambda value: not is_true(value),
    "eq": _equal,
    "ne": lambda first, second: first != second,
    "lt": _less,
    "le": lambda first, second: first == second or _less(first, second),
    "gt": lambda first, second: _less(second, first),
    "ge": lambda first, second: first == second or _less(second, first),
}

HEADINGS: dict[str, Callable[..., object]] = {
    **FUNCTIONS,
    **{name: lambda value, *_: value for name in ("json", "split", "join", "pad", "truncate")},
    **{name: lambda value, *_: value for name in ("title", "lower", "upper")},
}
"""For the heading of a table: what changes a value leaves a column's name as it is."""
