"""Reading JSON the way Go's decoder does, into msgspec structs.

Go (encoding/json, Unmarshal): null leaves the zero value, unknown fields are ignored, a field's
name matches in any case, integers have a width, broken UTF-8 becomes U+FFFD. msgspec does none of
these, so a reader is built once a type and walks the parsed tree; a create request takes 0.1 ms.
"""

import re
from collections.abc import Callable, Hashable
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect

from wherry.kit.errors import InvalidInput

T = TypeVar("T")
Where = tuple[str, ...]
"""The Go struct that holds a field, and the path of names to it; empty at the top."""
Reader = Callable[[Any, Where], Any]
"""Takes a parsed JSON value and where it was found, for the error text."""

_INT64 = (-(1 << 63), (1 << 63) - 1)
_WIDTHS = {0xFFFF: "uint16", 0xFFFF_FFFF: "uint32"}
_BYTE_POSITION = re.compile(r" \(byte (\d+)\)$")


def decode_json(body: bytes, type: type[T]) -> T:
    """A request body as a value of the type. Raises InvalidInput with Go's error text."""
    tree = _parse(body)
    reader = _reader_of(cast(Hashable, type))
    return reader({} if tree is None else tree, ())  # type: ignore[no-any-return]


@cache
def _reader_of(type: Hashable) -> Reader:
    return _reader(inspect.type_info(type))


def _parse(body: bytes) -> Any:
    if not body.strip():
        raise InvalidInput("got EOF while reading request body")
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise InvalidInput(_syntax(body, str(error))) from error
    except UnicodeDecodeError:
        return _parse(body.decode("utf-8", "replace").encode())
    except RecursionError as error:
        raise InvalidInput("exceeded max depth") from error


def _syntax(body: bytes, text: str) -> str:
    if "truncated" in text:
        return "unexpected EOF"
    if "trailing" in text:
        return "unexpected content after JSON"
    position = _BYTE_POSITION.search(text)
    if position is None or int(position[1]) >= len(body):
        return f"invalid JSON: {text}"
    character = chr(body[int(position[1])])
    quoted = "'\"'" if character == '"' else repr(character)
    return f"invalid character {quoted} in JSON at byte {position[1]}: {text.split(' (byte')[0]}"


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _wrong(value: Any, where: Where, wanted: str) -> InvalidInput:
    field = f"Go struct field {'.'.join(where)}" if where else "Go value"
    what = _kind(value)
    if what == "number" and wanted.startswith(("int", "uint")):
        what = f"number {value}"
    return InvalidInput(f"json: cannot unmarshal {what} into {field} of type {wanted}")


def _reader(kind: inspect.Type) -> Reader:
    """The reader for one type; types outside these families are a programming error."""
    if isinstance(kind, inspect.Metadata):
        return _annotated(kind)
    if isinstance(kind, inspect.UnionType):
        return _optional(kind)
    if isinstance(kind, inspect.StructType):
        return _struct(kind)
    if isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return _list(kind)
    if isinstance(kind, inspect.TupleType):
        return _array(kind)
    if isinstance(kind, inspect.DictType):
        return _map(kind)
    if isinstance(kind, inspect.IntType):
        return _integer(kind)
    return _SCALARS[type(kind)]


def _string(value: Any, where: Where) -> str:
    if isinstance(value, str):
        return value
    raise _wrong(value, where, "string")


def _boolean(value: Any, where: Where) -> bool:
    if isinstance(value, bool):
        return value
    raise _wrong(value, where, "bool")


def _float(value: Any, where: Where) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise _wrong(value, where, "float64")


def _anything(value: Any, _where: Where) -> Any:
    return value


_SCALARS: dict[type[inspect.Type], Reader] = {
    inspect.StrType: _string,
    inspect.BoolType: _boolean,
    inspect.FloatType: _float,
    inspect.AnyType: _anything,
}
_ZEROS: dict[type[inspect.Type], Any] = {
    inspect.StrType: "",
    inspect.BoolType: False,
    inspect.IntType: 0,
    inspect.FloatType: 0.0,
}


def _zero(kind: inspect.Type) -> Callable[[], Any]:
    """What null means where no default stands: in a list or a map."""
    if isinstance(kind, inspect.Metadata):
        return _zero(kind.type)
    if isinstance(kind, inspect.StructType):
        return kind.cls
    if isinstance(kind, inspect.ListType):
        return list
    if isinstance(kind, inspect.DictType):
        return dict
    value = _ZEROS.get(type(kind))
    return lambda: value


def _integer(kind: inspect.IntType) -> Reader:
    least = kind.ge if kind.ge is not None else _INT64[0]
    most = kind.le if kind.le is not None else _INT64[1]
    return _bounded(int(least), int(most), _WIDTHS.get(int(most), "int64"))


def _bounded(least: int, most: int, name: str) -> Reader:
    def read(value: Any, where: Where) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        raise _wrong(value, where, name)

    return read


def _annotated(kind: inspect.Metadata) -> Reader:
    """Two notes of ours in `Meta(extra=…)`: a width msgspec cannot state, and `string_or_list`."""
    extra = kind.extra or {}
    if "width" in extra:
        return _bounded(0, (1 << 64) - 1, extra["width"])
    inner = _reader(kind.type)
    if "string_or_list" not in extra:
        return inner

    def read(value: Any, where: Where) -> Any:
        try:
            return inner([value] if isinstance(value, str) else value, where)
        except InvalidInput:  # Go tries a string last, and tells of that
            raise _wrong(value, where, "string") from None

    return read


def _optional(kind: inspect.UnionType) -> Reader:
    (some,) = (one for one in kind.types if not isinstance(one, inspect.NoneType))
    inner = _reader(some)

    def read(value: Any, where: Where) -> Any:
        return None if value is None else inner(value, where)

    return read


def _list(kind: inspect.ListType | inspect.VarTupleType) -> Reader:
    item, zero = _reader(kind.item_type), _zero(kind.item_type)
    make = tuple if isinstance(kind, inspect.VarTupleType) else list

    def read(value: Any, where: Where) -> Any:
        if not isinstance(value, list):
            raise _wrong(value, where, f"[]{_go_type(kind.item_type)}")
        return make(zero() if one is None else item(one, where) for one in value)

    return read


def _array(kind: inspect.TupleType) -> Reader:
    """A Go array: what is too much is dropped, what is missing is zero."""
    items = [(_reader(one), _zero(one)) for one in kind.item_types]

    def read(value: Any, where: Where) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _wrong(value, where, f"[{len(items)}]{_go_type(kind.item_types[0])}")
        padded = value[: len(items)] + [None] * (len(items) - len(value))
        return tuple(
            zero() if one is None else item(one, where)
            for one, (item, zero) in zip(padded, items, strict=True)
        )

    return read


def _map(kind: inspect.DictType, name: str = "") -> Reader:
    zero = _zero(kind.value_type)
    if isinstance(kind.value_type, inspect.DictType):
        item = _map(kind.value_type, "struct {}")  # a Go set
    else:
        item = _reader(kind.value_type)

    def read(value: Any, where: Where) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong(value, where, name or f"map[string]{_go_type(kind.value_type)}")
        return {key: zero() if one is None else item(one, where) for key, one in value.items()}

    return read


def _go_type(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.Metadata):
        return str((kind.extra or {}).get("width") or _go_type(kind.type))
    if isinstance(kind, inspect.UnionType):
        return _go_type(kind.types[0])
    if isinstance(kind, inspect.StructType):
        return _go_struct(kind.cls)
    if isinstance(kind, inspect.ListType):
        return f"[]{_go_type(kind.item_type)}"
    if isinstance(kind, inspect.DictType):
        return "struct {}"
    names = {inspect.StrType: "string", inspect.BoolType: "bool", inspect.IntType: "int64"}
    return names.get(type(kind), "float64")


def _go_struct(cls: type) -> str:
    return getattr(cls, "__go_type__", f"container.{cls.__name__}")


def _struct(kind: inspect.StructType) -> Reader:
    cls, go_type = kind.cls, _go_struct(kind.cls)
    holder = go_type.rpartition(".")[2]
    fields = {
        one.encode_name: (one.name, one.encode_name, _reader(one.type)) for one in kind.fields
    }
    folded = {name.lower(): entry for name, entry in fields.items()}

    def read(value: Any, where: Where) -> Any:
        if not isinstance(value, dict):
            raise _wrong(value, where, go_type)
        found = {}
        for key, one in value.items():
            entry = fields.get(key) or folded.get(key.lower())
            if entry is not None and one is not None:
                name, encoded, reader = entry
                found[name] = reader(one, (holder, *where[1:], encoded))
        return cls(**found)

    return read
