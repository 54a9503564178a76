"""Writing values as dockerd writes JSON.

A struct class may carry two notes for this module: `__omitempty__`, the Python names of fields that
are left out where they hold Go's zero value, and `__inherited_after__`, the field after which Go
writes the fields of the embedded struct. Map keys are sorted, `<`, `>` and `&` stay as they are,
and the text ends with a newline, all as dockerd's encoder does.

msgspec makes the tree; what is left for Python is planned once a class: a list of 200 containers
takes half a millisecond.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

Shape = Callable[[Any], Any]
"""Gives a tree its final form; None stands for one that has it already."""


def encode_json(value: object) -> bytes:
    """The JSON text of a value, with the newline that dockerd ends it with."""
    return encode_tree(to_tree(value))


def encode_tree(tree: object) -> bytes:
    """The same for what `to_tree` made, whose order stays. What is no UTF-8 becomes U+FFFD."""
    try:
        return msgspec.json.encode(tree) + b"\n"
    except UnicodeEncodeError:  # bytes of a header or a file name, kept as surrogates
        return msgspec.json.encode(_replaced(tree)) + b"\n"


def _replaced(tree: object) -> object:
    if isinstance(tree, str):
        return tree.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(tree, dict):
        return {_replaced(key): _replaced(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_replaced(value) for value in tree]
    return tree


def to_tree(value: Any) -> Any:
    """The value as dicts, lists and scalars in the order and with the omissions of dockerd."""
    if isinstance(value, msgspec.Struct):
        tree = msgspec.to_builtins(value)
        shape = _shape_of(type(value))
        return shape(tree) if shape is not None else tree
    if isinstance(value, dict):
        return {key: to_tree(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [to_tree(one) for one in value]
    return value


@cache
def _shape_of(kind: type[msgspec.Struct]) -> Shape | None:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return _struct(info)


def _shape(kind: inspect.Type) -> Shape | None:
    if isinstance(kind, inspect.Metadata):
        return _shape(kind.type)
    if isinstance(kind, inspect.UnionType):
        some = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
        return _shape(some[0])
    if isinstance(kind, inspect.StructType):
        return _struct(kind)
    if isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return _list(_shape(kind.item_type))
    if isinstance(kind, inspect.DictType):
        return _map(_shape(kind.value_type))
    return None


def _list(item: Shape | None) -> Shape | None:
    if item is None:
        return None
    return lambda tree: [item(one) for one in tree]


def _map(item: Shape | None) -> Shape:
    def shape(tree: dict[str, Any]) -> dict[str, Any]:
        if item is not None:
            return {key: one and item(one) for key, one in sorted(tree.items())}
        return dict(sorted(tree.items())) if len(tree) > 1 else tree

    return shape


def _struct(kind: inspect.StructType) -> Shape | None:
    omitted: frozenset[str] = getattr(kind.cls, "__omitempty__", frozenset())
    omits = [(one.encode_name, _is_pointer(one)) for one in kind.fields if one.name in omitted]
    shapes = [(one.encode_name, _shape(one.type)) for one in kind.fields]
    children = [(name, shape) for name, shape in shapes if shape is not None]
    order = _order(kind)
    if not (omits or children or order):
        return None

    def shape(tree: dict[str, Any]) -> dict[str, Any]:
        for name, child in children:
            if tree.get(name):
                tree[name] = child(tree[name])
        for name, is_pointer in omits:
            value = tree.get(name)
            if value is None or not (value or is_pointer):
                tree.pop(name, None)
        return {name: tree[name] for name in order if name in tree} if order else tree

    return shape


def _is_pointer(field: inspect.Field) -> bool:
    """Whether Go's omitempty asks only for nil: pointers to numbers and structs (never empty)."""
    some = field.type
    if isinstance(some, inspect.UnionType):
        some = next(one for one in some.types if not isinstance(one, inspect.NoneType))
    scalar = isinstance(some, inspect.IntType | inspect.BoolType | inspect.Metadata)
    return isinstance(some, inspect.StructType) or (scalar and field.default is None)


def _order(kind: inspect.StructType) -> list[str]:
    """The encoded names in Go's order, empty where the class has it."""
    after = kind.cls.__dict__.get("__inherited_after__")
    if after is None:
        return []
    own = [one for one in kind.fields if one.name in kind.cls.__annotations__]
    inherited = [one.encode_name for one in kind.fields if one not in own]
    at = [one.name for one in own].index(after) + 1
    names = [one.encode_name for one in own]
    return names[:at] + inherited + names[at:]
