"""update: new limits by options or as JSON."""

import json
import sys

from wherry.kit import units
from wherry.kit.errors import InvalidInput
from wherry.runtime import lifecycle
from wherry.runtime.commands.arguments import Arguments, Syntax, read
from wherry.runtime.commands.setting import Setting
from wherry.runtime.resources import parse_resources
from wherry.runtime.spec import load_json

# option → (object in linux.resources, property, kind of value)
_OPTIONS = {
    "blkio-weight": ("blockIO", "weight", "number"),
    "cpu-period": ("cpu", "period", "number"),
    "cpu-quota": ("cpu", "quota", "number"),
    "cpu-burst": ("cpu", "burst", "number"),
    "cpu-share": ("cpu", "shares", "number"),
    "cpu-rt-period": ("cpu", "realtimePeriod", "number"),
    "cpu-rt-runtime": ("cpu", "realtimeRuntime", "number"),
    "cpu-idle": ("cpu", "idle", "number"),
    "cpuset-cpus": ("cpu", "cpus", "text"),
    "cpuset-mems": ("cpu", "mems", "text"),
    "memory": ("memory", "limit", "size"),
    "memory-swap": ("memory", "swap", "size"),
    "memory-reservation": ("memory", "reservation", "size"),
    "pids-limit": ("pids", "limit", "number"),
}


def command_update(setting: Setting, words: list[str]) -> int:
    """Change the limits of a container."""
    syntax = Syntax((*_OPTIONS, "resources"), (), {"r": "resources"})
    arguments = read(words, syntax)
    container_id = arguments.word(0, "container id")
    resources = parse_resources(_document(arguments))
    for warning in lifecycle.update(setting.root, container_id, resources):
        setting.journal.warning(warning)
    return 0


def _document(arguments: Arguments) -> object:
    if arguments.has("resources"):
        return _read_document(arguments.value("resources"))
    document: dict[str, dict[str, object]] = {}
    for option, (group, name, kind) in _OPTIONS.items():
        if arguments.has(option):
            value = _value(option, kind, arguments)
            document.setdefault(group, {})[name] = value
    return document


def _read_document(path: str) -> object:
    if path != "-":
        return load_json(path)
    try:
        value: object = json.load(sys.stdin)
    except ValueError as error:
        raise InvalidInput(f"standard input is not JSON: {error}") from error
    return value


def _value(option: str, kind: str, arguments: Arguments) -> object:
    text = arguments.value(option)
    if kind == "text":
        return text
    if kind == "number":
        return arguments.number(option)
    return -1 if text == "-1" else units.parse_size(text)
