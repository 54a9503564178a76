"""`--mount` and `-v`: what the API's Mounts, Binds and Volumes become of them."""

import os
from typing import NamedTuple

from wherry.cli import values
from wherry.client.document import Json
from wherry.kit.errors import InvalidInput
from wherry.kit.units import parse_size

_KINDS = {
    "bind": "BindOptions",
    "volume": "VolumeOptions",
    "tmpfs": "TmpfsOptions",
    "image": "ImageOptions",
}
_SWITCHES = frozenset(("readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src"))


def mount(text: str) -> dict[str, Json]:
    """One `--mount` as CSV of `key=value`. Raises InvalidInput."""
    made: dict[str, Json] = {"Type": "volume"}
    for field in values.split_fields(text):
        key, equals, value = field.partition("=")
        key = key.lower()
        if not equals and key not in _SWITCHES:
            raise InvalidInput(f"invalid field '{field}' must be a key=value pair")
        _set(made, key, value if equals else "true", field)
    _check(made)
    return made


def _set(made: dict[str, Json], key: str, value: str, field: str) -> None:
    if key == "type":
        made["Type"] = value.lower()
    elif key in ("source", "src"):
        made["Source"] = os.path.abspath(value) if value.startswith(".") else value
    elif key in ("target", "dst", "destination"):
        made["Target"] = value
    elif key in ("readonly", "ro"):
        made["ReadOnly"] = _switch(key, value)
    elif key == "consistency":
        made["Consistency"] = value.lower()
    else:
        _set_option(made, key, value, field)


def _set_option(made: dict[str, Json], key: str, value: str, field: str) -> None:
    kind, _, name = key.partition("-")
    setters = {"bind": _set_bind, "volume": _set_volume, "tmpfs": _set_tmpfs, "image": _set_image}
    options = made.setdefault(_KINDS[kind], {}) if kind in _KINDS and name else None
    if not isinstance(options, dict) or not setters[kind](options, name, value, key):
        raise InvalidInput(f"unexpected key '{key}' in '{field}'")


def _set_bind(options: dict[str, Json], name: str, value: str, key: str) -> bool:
    if name == "propagation":
        options["Propagation"] = value.lower()
    elif name == "nonrecursive":
        options["NonRecursive"] = _switch(key, value)
    elif name == "create-src":
        options["CreateMountpoint"] = _switch(key, value)
    elif name == "recursive":
        _set_recursive(options, value, key)
    else:
        return False
    return True


def _set_recursive(options: dict[str, Json], value: str, key: str) -> None:
    names = {
        "disabled": "NonRecursive",
        "writable": "ReadOnlyNonRecursive",
        "readonly": "ReadOnlyForceRecursive",
    }
    if value in names:
        options[names[value]] = True
    elif value != "enabled":
        raise InvalidInput(
            f"invalid value for {key}: {value} "
            '(must be "enabled", "disabled", "writable", or "readonly")'
        )


def _set_volume(options: dict[str, Json], name: str, value: str, key: str) -> bool:
    if name == "nocopy":
        options["NoCopy"] = _switch(key, value)
    elif name == "subpath":
        options["Subpath"] = value
    elif name == "label":
        _add_pair(options, "Labels", value)
    elif name in ("driver", "opt"):
        driver = options.setdefault("DriverConfig", {})
        assert isinstance(driver, dict)
        if name == "opt":
            _add_pair(driver, "Options", value)
        else:
            driver["Name"] = value
    else:
        return False
    return True


def _set_tmpfs(options: dict[str, Json], name: str, value: str, key: str) -> bool:
    try:
        if name == "size":
            options["SizeBytes"] = parse_size(value)
        elif name == "mode":
            options["Mode"] = int(value, 8)
        else:
            return False
    except (ValueError, InvalidInput) as error:
        raise InvalidInput(f"invalid value for {key}: {value}") from error
    return True


def _set_image(options: dict[str, Json], name: str, value: str, key: str) -> bool:
    del key
    if name != "subpath":
        return False
    options["Subpath"] = value
    return True


def _add_pair(options: dict[str, Json], name: str, pair: str) -> None:
    key, _, value = pair.partition("=")
    held = options.setdefault(name, {})
    assert isinstance(held, dict)
    held[key] = value


def _switch(key: str, value: str) -> bool:
    try:
        return values.boolean(value)
    except InvalidInput as error:
        raise InvalidInput(f"invalid value for {key}: {value}") from error


def _check(made: dict[str, Json]) -> None:
    """Docker's rules on what goes together; an option that is off is not sent."""
    if not made["Type"]:
        raise InvalidInput("type is required")
    if not made.get("Target"):
        raise InvalidInput("target is required")
    for kind, options in _KINDS.items():
        if options in made and made["Type"] != kind:
            raise InvalidInput(f"cannot mix '{kind}-*' options with mount type '{made['Type']}'")
    for options in _KINDS.values():
        held = made.get(options)
        if isinstance(held, dict):
            made[options] = {name: value for name, value in held.items() if value}
    if not made.get("ReadOnly", True):
        del made["ReadOnly"]


class Volumes(NamedTuple):
    """`-v`, told apart: binds and named volumes, and anonymous volumes."""

    binds: list[str]
    anonymous: list[str]


def volumes(specs: list[str]) -> Volumes:
    """Sort the values of `-v`; a relative host path is made absolute."""
    binds, anonymous = [], []
    for spec in dict.fromkeys(specs):
        if _source(spec):
            binds.append(_absolute(spec))
        else:
            anonymous.append(spec)
    return Volumes(binds, anonymous)


def _source(spec: str) -> str:
    """The part before the first colon that separates; a single letter is a drive, as in Docker."""
    if len(spec) <= 2:
        return ""
    start = 2 if spec[1] == ":" and spec[0].isalpha() else 0
    colon = spec.find(":", start)
    return spec[:colon] if colon > 0 else ""


def _absolute(spec: str) -> str:
    source, colon, rest = spec.partition(":")
    return os.path.abspath(source) + colon + rest if source.startswith(".") else spec
