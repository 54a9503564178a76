"""Writing values as dockerd writes JSON.

A struct class may carry two notes for this module: `__omitempty__`, the Python names of fields that
are left out where they hold Go's zero value, and `__inherited_after__`, the field after which Go
writes the fields of the embedded struct. Map keys are sorted, `<`, `>` and `&` stay as they are,
and the text ends with a newline, all as dockerd's encoder does.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

Writer = Callable[[Any], dict[str, Any]]


def encode_json(value: object) -> bytes:
    """The JSON text of a value, with the newline that dockerd ends it with."""
    return encode_tree(to_tree(value))


def encode_tree(tree: object) -> bytes:
    """The same for what `to_tree` made, whose order stays."""
    return msgspec.json.encode(tree) + b"\n"


def to_tree(value: Any) -> Any:
    """The value as dicts, lists and scalars in the order and with the omissions of dockerd."""
    if isinstance(value, msgspec.Struct):
        return _writer(type(value))(value)
    if isinstance(value, dict):
        return {key: to_tree(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [to_tree(one) for one in value]
    return value


def _is_empty(value: Any, is_pointer: bool) -> bool:
    """Go's omitempty: nil, an empty array, map or string, and of a plain field false and 0."""
    if value is None or value in ("", [], {}, ()):
        return True
    return not is_pointer and value.__class__ in (bool, int) and not value


def _omitted(kind: type[msgspec.Struct]) -> frozenset[str]:
    if kind.__struct_config__.omit_defaults:
        return frozenset(kind.__struct_fields__)
    noted: frozenset[str] = getattr(kind, "__omitempty__", frozenset())
    return noted


def _order(kind: type[msgspec.Struct]) -> list[tuple[str, str]]:
    pairs = list(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    after = kind.__dict__.get("__inherited_after__")
    if after is None:
        return pairs
    inherited = {name for name, _ in pairs if name not in kind.__annotations__}
    own = [pair for pair in pairs if pair[0] not in inherited]
    at = [name for name, _ in own].index(after) + 1
    return own[:at] + [pair for pair in pairs if pair[0] in inherited] + own[at:]


@cache
def _writer(kind: type[msgspec.Struct]) -> Writer:
    omitted = _omitted(kind)
    pointers = {one.name for one in msgspec.structs.fields(kind) if one.default is None}
    plan = [(name, encoded, name in omitted, name in pointers) for name, encoded in _order(kind)]

    def write(value: Any) -> dict[str, Any]:
        tree = {}
        for name, encoded, omit, pointer in plan:
            field = getattr(value, name)
            if field is msgspec.UNSET or (omit and _is_empty(field, pointer)):
                continue
            simple = field is None or field.__class__ in (str, int, bool)
            tree[encoded] = field if simple else to_tree(field)
        return tree

    return write
