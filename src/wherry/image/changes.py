"""`--change` of commit and import: Dockerfile instructions that touch only the configuration."""

import json
import posixpath
import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from wherry.image import words
from wherry.kit import units
from wherry.kit.errors import InvalidInput
from wherry.oci.config import HealthConfig, ProcessConfig

_DEFAULT_SHELL: Final = ["/bin/sh", "-c"]
_MILLISECOND: Final = 1_000_000
_LINE = re.compile(r"(\S+)\s*(.*)", re.DOTALL)
_FLAG = re.compile(r"--([a-z][a-z-]*)(?:=(\S*))?\s*")
_CONTINUED = re.compile(r"(?<!\\)\\[ \t]*\n|^\\[ \t]*\n", re.MULTILINE)
_PORT = re.compile(r"(\d+)(?:-(\d+))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)


class _Line(NamedTuple):
    name: str
    flags: dict[str, str]
    rest: str


def apply(config: ProcessConfig, lines: Sequence[str]) -> ProcessConfig:
    """The configuration after the instructions. Raises InvalidInput, with dockerd's texts."""
    command_set = False
    for text in _joined(lines):
        line = _parse(text)
        change = _CHANGES.get(line.name)
        if change is None:
            raise InvalidInput(f"{line.name} is not a valid change command")
        if line.flags and line.name != "healthcheck":
            raise InvalidInput(f"Unknown flag: {next(iter(line.flags))}")
        config = change(config, line)
        command_set = command_set or line.name == "cmd"
        if line.name == "entrypoint" and not command_set:
            config = replace(config, cmd=None)  # the old arguments were for the old entrypoint
    return config


def _joined(lines: Sequence[str]) -> list[str]:
    """One instruction a string; comments and empty lines left out."""
    text = _CONTINUED.sub("", "\n".join(lines))
    found = [line.strip() for line in text.split("\n")]
    return [line for line in found if line and not line.startswith("#")]


def _parse(text: str) -> _Line:
    match = _LINE.fullmatch(text)
    name, rest = (match[1].lower(), match[2].strip()) if match else (text.lower(), "")
    flags: dict[str, str] = {}
    while name != "onbuild" and (flag := _FLAG.match(rest)):
        flags[flag[1]] = flag[2] or ""
        rest = rest[flag.end() :]
    return _Line(name, flags, rest)


def _json_list(text: str) -> list[str] | None:
    """An exec form, or None where it is none (then it is for the shell, as in Dockerfiles)."""
    if not text.startswith("["):
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return None
    if not all(isinstance(item, str) for item in value):
        raise InvalidInput("when using JSON array syntax, arrays must be comprised of strings only")
    return list(value)


def _command(config: ProcessConfig, line: _Line) -> list[str]:
    listed = _json_list(line.rest)
    if listed is not None:
        return listed
    return [*(config.shell or _DEFAULT_SHELL), *([line.rest] if line.rest else [])]


def _variables(config: ProcessConfig) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in config.env or ())
    return {name: value for name, _, value in pairs}


def _expanded(config: ProcessConfig, text: str) -> str:
    try:
        return words.expand(text, _variables(config))
    except InvalidInput as error:
        raise InvalidInput(f'failed to process "{text}": {error}') from error


def _argument(config: ProcessConfig, line: _Line) -> str:
    if not line.rest:
        raise InvalidInput(f"{line.name.upper()} requires exactly one argument")
    return _expanded(config, line.rest)


def _pairs(config: ProcessConfig, line: _Line) -> list[tuple[str, str]]:
    """`NAME=value …`, or the old `NAME value with spaces`."""
    name, found = line.name.upper(), words.split(line.rest)
    if not found:
        raise InvalidInput(f"{name} requires at least one argument")
    if "=" not in found[0]:
        parts = line.rest.split(None, 1)
        if len(parts) < 2:
            raise InvalidInput(f"{name} must have two arguments")
        pairs = [(parts[0], "=", parts[1])]
    else:
        pairs = [word.partition("=") for word in found]
    for key, equals, _ in pairs:
        if not equals:
            raise InvalidInput(
                f'Syntax error - can\'t find = in "{key}". Must be of the form: name=value'
            )
        if not key:
            raise InvalidInput(f"{name} names can not be blank")
    return [(_expanded(config, key), _expanded(config, value)) for key, _, value in pairs]


def _cmd(config: ProcessConfig, line: _Line) -> ProcessConfig:
    return replace(config, cmd=_command(config, line))


def _entrypoint(config: ProcessConfig, line: _Line) -> ProcessConfig:
    return replace(config, entrypoint=_command(config, line) or None)


def _env(config: ProcessConfig, line: _Line) -> ProcessConfig:
    """A known name keeps its place in the list."""
    entries = list(config.env or ())
    for name, value in _pairs(config, line):
        names = [entry.partition("=")[0] for entry in entries]
        at = names.index(name) if name in names else len(names)
        entries[at : at + 1] = [f"{name}={value}"]
    return replace(config, env=entries)


def _label(config: ProcessConfig, line: _Line) -> ProcessConfig:
    return replace(config, labels={**(config.labels or {}), **dict(_pairs(config, line))})


def _expose(config: ProcessConfig, line: _Line) -> ProcessConfig:
    if not line.rest:
        raise InvalidInput("EXPOSE requires at least one argument")
    ports = dict(config.exposed_ports or {})
    for word in line.rest.split():
        for text in _expanded(config, word).split():
            ports.update({port: {} for port in _ports(text)})
    return replace(config, exposed_ports=ports)


def _ports(text: str) -> list[str]:
    """`80`, `80/udp`, `8000-8010/tcp`; a host part before a colon does not matter to an image."""
    match = _PORT.fullmatch(text.rpartition(":")[2])
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if match is None or not 1 <= first <= last <= 65535:
        raise InvalidInput(f"Invalid containerPort: {text}")
    return [f"{port}/{(match[3] or 'tcp').lower()}" for port in range(first, last + 1)]


def _onbuild(config: ProcessConfig, line: _Line) -> ProcessConfig:
    trigger = line.rest.split(None, 1)[0].upper() if line.rest else ""
    if not trigger:
        raise InvalidInput("ONBUILD requires at least one argument")
    if trigger == "ONBUILD":
        raise InvalidInput("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger in ("MAINTAINER", "FROM"):
        raise InvalidInput(f"{trigger} isn't allowed as an ONBUILD trigger")
    return replace(config, on_build=[*(config.on_build or ()), line.rest])


def _stop_signal(config: ProcessConfig, line: _Line) -> ProcessConfig:
    name = _argument(config, line)
    if not re.fullmatch(r"\d{1,2}|(SIG)?[A-Z][A-Z0-9+-]*", name.upper()):
        raise InvalidInput(f"invalid signal: {name}")
    return replace(config, stop_signal=name)


def _user(config: ProcessConfig, line: _Line) -> ProcessConfig:
    return replace(config, user=_argument(config, line))


def _volume(config: ProcessConfig, line: _Line) -> ProcessConfig:
    if not line.rest:
        raise InvalidInput("VOLUME requires at least one argument")
    listed = _json_list(line.rest)
    names = [_expanded(config, word).strip() for word in (listed or line.rest.split())]
    if not all(names) or listed == []:
        raise InvalidInput("VOLUME specified can not be an empty string")
    return replace(config, volumes={**(config.volumes or {}), **{name: {} for name in names}})


def _workdir(config: ProcessConfig, line: _Line) -> ProcessConfig:
    """An absolute path stays as it is written; only joining tidies, as dockerd does."""
    path = _argument(config, line)
    if not path.startswith("/"):
        path = posixpath.normpath(posixpath.join("/", config.working_dir, path))
    return replace(config, working_dir=path)


def _healthcheck(config: ProcessConfig, line: _Line) -> ProcessConfig:
    kind, _, rest = line.rest.partition(" ")
    rest = rest.strip()
    match kind.upper():
        case "":
            raise InvalidInput("HEALTHCHECK requires at least one argument")
        case "NONE":
            if rest:
                raise InvalidInput("HEALTHCHECK NONE takes no arguments")
            return replace(config, healthcheck=HealthConfig(test=["NONE"]))
        case "CMD":
            return replace(config, healthcheck=_health(line.flags, rest))
    raise InvalidInput(f'Unknown type "{kind.upper()}" in HEALTHCHECK (try CMD)')


def _health(flags: dict[str, str], rest: str) -> HealthConfig:
    if not rest:
        raise InvalidInput("Missing command after HEALTHCHECK CMD")
    unknown = set(flags) - {"interval", "timeout", "start-period", "start-interval", "retries"}
    if unknown:
        raise InvalidInput(f"Unknown flag: {min(unknown)}")
    listed = _json_list(rest)
    retries = flags.get("retries", "")
    if retries and not (retries.isdecimal() and int(retries) >= 1):
        raise InvalidInput(f"--retries must be at least 1 (not {retries})")
    return HealthConfig(
        test=["CMD-SHELL", rest] if listed is None else ["CMD", *listed],
        interval=_interval(flags, "interval"),
        timeout=_interval(flags, "timeout"),
        start_period=_interval(flags, "start-period"),
        start_interval=_interval(flags, "start-interval"),
        retries=int(retries or 0),
    )


def _interval(flags: dict[str, str], name: str) -> int:
    if not flags.get(name):
        return 0
    value = units.parse_duration(flags[name])
    if value < _MILLISECOND:
        raise InvalidInput(f'Interval "{name}" cannot be less than 1ms')
    return value


_CHANGES: Final[dict[str, Callable[[ProcessConfig, _Line], ProcessConfig]]] = {
    "cmd": _cmd,
    "entrypoint": _entrypoint,
    "env": _env,
    "expose": _expose,
    "healthcheck": _healthcheck,
    "label": _label,
    "onbuild": _onbuild,
    "stopsignal": _stop_signal,
    "user": _user,
    "volume": _volume,
    "workdir": _workdir,
}
