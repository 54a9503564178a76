"""Variables and labels from flags and files."""

import os
from collections.abc import Iterator, Mapping, Sequence

from wherry.kit.errors import InvalidInput


def variables(files: Sequence[str], given: Sequence[str]) -> list[str]:
    """`--env-file` and `-e`, the latter last so that they win. Raises InvalidInput."""
    return [line for path in files for line in _lines(path, inherit=True)] + list(given)


def with_proxies(given: Sequence[str], proxies: Mapping[str, str]) -> list[str]:
    """`-e` with the proxies of the configuration, where they are not given."""
    named = {line.partition("=")[0] for line in given}
    return [*given, *(f"{name}={proxies[name]}" for name in proxies if name not in named)]


def labels(files: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    """`--label-file` and `-l` as names and values. Raises InvalidInput."""
    lines = [line for path in files for line in _lines(path, inherit=False)] + list(given)
    return pairs(lines)


def pairs(lines: Sequence[str]) -> dict[str, str]:
    """`name=value` lines as a dictionary; a missing value is empty."""
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def _lines(path: str, *, inherit: bool) -> Iterator[str]:
    """The settings in a file; a name alone is one of our own variables, or nothing."""
    try:
        with open(path, "rb") as file:
            data = file.read().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise InvalidInput(f"open {path}: {(error.strerror or '').lower()}") from error
    for number, raw in enumerate(data.split(b"\n"), 1):
        line = _decoded(path, number, raw).lstrip().removesuffix("\r")
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        _check_name(name, line)
        if equals:
            yield f"{name}={value}"
        elif inherit and line.strip() in os.environ:
            yield f"{line.strip()}={os.environ[line.strip()]}"


def _decoded(path: str, number: int, raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: invalid utf8 bytes at line {number}: {raw!r}") from error


def _check_name(name: str, line: str) -> None:
    if not name:
        raise InvalidInput(f"poorly formatted environment: no variable name on line '{line}'")
    if name.strip() != name or any(character in name for character in " \t\n\r\f\v"):
        raise InvalidInput(f"poorly formatted environment: variable '{name}' contains whitespaces")
