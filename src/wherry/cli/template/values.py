"""JSON values as Go's templates see them: truth, printing, look-up."""

import json
from collections.abc import Mapping, Sequence

from wherry.cli.template.nodes import TemplateError


class Row(dict[str, object]):
    """The fields of one line of a table: strings, and functions for those with an argument."""


class NilList(list[object]):
    """A null where Go's types have a list: prints as `[]`, and is null as JSON."""


class NilMap(dict[str, object]):
    """A null where Go's types have a map: prints as `map[]`, and is null as JSON."""


_LISTS = frozenset(
    (
        "Args", "Env", "Cmd", "Entrypoint", "OnBuild", "Shell", "Binds", "VolumesFrom", "CapAdd",
        "CapDrop", "Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd", "Links",
        "SecurityOpt", "Devices", "DeviceCgroupRules", "DeviceRequests", "Ulimits", "ExecIDs",
        "RepoTags", "RepoDigests", "Mounts", "Aliases", "MaskedPaths", "ReadonlyPaths", "Warnings",
    )
)  # fmt: skip
_MAPS = frozenset(("Labels", "Volumes", "ExposedPorts", "PortBindings", "DriverOpts", "Ports"))
"""Fields that Go's types of the API declare as lists and maps: there a null has a type."""


class Missing:
    """What a look-up gives where nothing is: false in conditions, an error elsewhere."""

    def __init__(self, name: str) -> None:
        self.name = name


def is_true(value: object) -> bool:
    """Go's truth: empty, zero, nil and missing are false."""
    return not isinstance(value, Missing) and bool(value)


def field(value: object, name: str) -> object:
    """`.name` of a value. The case of letters need not fit (`.ID` finds `Id`)."""
    if isinstance(value, Mapping):
        key = name if name in value else _other_case(value, name)
        if key is None:
            return Missing(name)
        found: object = value[key]
        return _typed_nil(name) if found is None else found
    if isinstance(value, Missing):
        return present(value)
    if value is None:
        raise TemplateError(f"nil pointer evaluating interface {{}}.{name}")
    raise TemplateError(f"can't evaluate field {name} in type {go_type(value)}")


def _other_case(value: Mapping[str, object], name: str) -> str | None:
    return next((key for key in value if key.lower() == name.lower()), None)


def _typed_nil(name: str) -> object:
    if name in _LISTS:
        return NilList()
    return NilMap() if name in _MAPS else None


def present(value: object) -> object:
    """The value itself. Raises TemplateError where it is missing."""
    if isinstance(value, Missing):
        raise TemplateError(f'map has no entry for key "{value.name}"')
    return value


def go_type(value: object) -> str:
    """Go's name for the type that JSON decoding would give."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "float64"
    if isinstance(value, str):
        return "string"
    return "map[string]interface {}" if isinstance(value, Mapping) else "[]interface {}"


def shown(value: object) -> str:
    """How Go prints a value (`%v`)."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        inner = " ".join(f"{key}:{_inside(value[key])}" for key in sorted(value))
        return f"map[{inner}]"
    if isinstance(value, list | tuple):
        return f"[{' '.join(_inside(item) for item in value)}]"
    return str(value)


def _inside(value: object) -> str:
    return "<nil>" if value is None else shown(value)


def as_json(value: object) -> str:
    """Compact JSON; a row shows its plain fields in order of their names, as Docker's do."""
    if isinstance(value, Row):
        plain = {name: value[name] for name in sorted(value) if not callable(value[name])}
        text = json.dumps(plain, separators=(",", ":"), ensure_ascii=False)
        return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    if isinstance(value, NilList | NilMap):
        return "null"
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def at_index(value: object, key: object) -> object:
    """`index value key`. Raises TemplateError."""
    if isinstance(value, Mapping):
        if key in value:
            return value[key]
        return "" if all(isinstance(item, str) for item in value.values()) else None
    if value is None:
        return "" if isinstance(key, str) else _out_of_range(key)
    if isinstance(value, Sequence) and isinstance(key, int):
        if not 0 <= key < len(value):
            return _out_of_range(key)
        found: object = value[key]
        return found
    raise TemplateError(f"error calling index: can't index item of type {go_type(value)}")


def _out_of_range(key: object) -> object:
    raise TemplateError(f"error calling index: reflect: slice index out of range: {key}")
