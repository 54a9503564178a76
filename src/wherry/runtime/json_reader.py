"""Reading of untrusted JSON objects: each access checks the type and can name the JSON path."""

from collections.abc import Iterator, Mapping

from wherry.kit.errors import InvalidInput

INT32 = (-(1 << 31), (1 << 31) - 1)
UINT32 = (0, (1 << 32) - 1)
INT64 = (-(1 << 63), (1 << 63) - 1)
UINT64 = (0, (1 << 64) - 1)


class JsonObject:
    """One JSON object and where it stands (`process.user`); null counts as absent."""

    __slots__ = ("_fields", "path")

    def __init__(self, value: object, path: str = "") -> None:
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise InvalidInput(f"{path or 'the document'}: want an object, not {_kind(value)}")
        self._fields: Mapping[str, object] = value
        self.path = path

    def __contains__(self, key: str) -> bool:
        return self._fields.get(key) is not None

    def at(self, key: str) -> str:
        """The JSON path of a field."""
        return f"{self.path}.{key}" if self.path else key

    def text(self, key: str, default: str | None = None) -> str:
        """A string without NUL; required where no default is given."""
        value = self._fields.get(key)
        if value is None:
            if default is None:
                raise InvalidInput(f"{self.at(key)}: required, but missing")
            return default
        return checked_text(value, self.at(key))

    def boolean(self, key: str) -> bool:
        """A truth value; false where absent."""
        value = self._fields.get(key)
        if value is not None and not isinstance(value, bool):
            raise InvalidInput(f"{self.at(key)}: want true or false, not {_kind(value)}")
        return bool(value)

    def integer(self, key: str, limits: tuple[int, int], default: int | None = None) -> int:
        """A whole number within limits; required where no default is given."""
        value = self.optional_integer(key, limits)
        if value is None:
            value = default
        if value is None:
            raise InvalidInput(f"{self.at(key)}: required, but missing")
        return value

    def optional_integer(self, key: str, limits: tuple[int, int]) -> int | None:
        """A whole number within limits, None where absent."""
        value = self._fields.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidInput(f"{self.at(key)}: want a whole number, not {_kind(value)}")
        if not limits[0] <= value <= limits[1]:
            raise InvalidInput(f"{self.at(key)}: {value} is not within {limits[0]}..{limits[1]}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; empty where absent."""
        return tuple(checked_text(value, path) for path, value in self._list(key))

    def integers(self, key: str, limits: tuple[int, int]) -> tuple[int, ...]:
        """A list of whole numbers; empty where absent."""
        entries = JsonObject(dict(self._list(key)))
        return tuple(entries.integer(path, limits) for path in entries._fields)

    def child(self, key: str) -> "JsonObject":
        """An object; an empty one where absent."""
        return JsonObject(self._fields.get(key), self.at(key))

    def children(self, key: str) -> Iterator["JsonObject"]:
        """A list of objects; nothing where absent."""
        for path, value in self._list(key):
            if value is None:
                raise InvalidInput(f"{path}: want an object, not null")
            yield JsonObject(value, path)

    def raw(self, key: str) -> object:
        """The value as it stands, for a reader of its own."""
        return self._fields.get(key)

    def entries(self, key: str) -> tuple[tuple[str, str], ...]:
        """An object of strings, as pairs."""
        child = self.child(key)
        return tuple((name, child.text(name)) for name in child._fields)

    def _list(self, key: str) -> Iterator[tuple[str, object]]:
        value = self._fields.get(key)
        if value is None:
            return
        if not isinstance(value, list):
            raise InvalidInput(f"{self.at(key)}: want a list, not {_kind(value)}")
        for index, item in enumerate(value):
            yield f"{self.at(key)}[{index}]", item


def checked_text(value: object, path: str) -> str:
    """The value, if it is a string that can be handed to the kernel."""
    if not isinstance(value, str):
        raise InvalidInput(f"{path}: want a string, not {_kind(value)}")
    if "\0" in value:
        raise InvalidInput(f"{path}: a NUL character is not possible here")
    return value


def _kind(value: object) -> str:
    names = {bool: "a truth value", int: "a number", float: "a number", str: "a string"}
    names |= {list: "a list", dict: "an object", type(None): "null"}
    return names.get(type(value), type(value).__name__)
