"""Command line flags as Docker's parser (pflag) reads them.

click knows neither `--rm=false` nor `-it=false`, and words its errors otherwise; scripts rely on
both. So click gives groups, help and completion, and the reading of one command's flags is here.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import click

from wherry.cli import values
from wherry.kit.errors import InvalidInput, WherryError

Read = Callable[[str], object]


class FlagError(InvalidInput):
    """A flag that does not exist or whose value makes no sense: exit code 125."""


class HelpAsked(Exception):
    """`--help` was among the flags."""


class Flag(click.Option):
    """One flag: its names, how a value is read, and whether it may be given often."""

    def __init__(
        self,
        names: str,
        kind: str,
        help: str,
        *,
        read: Read = str,
        default: object = "",
        many: bool = False,
        hidden: bool = False,
        dest: str = "",
    ) -> None:
        self.long, _, self.short = names.partition(" ")
        declared = [f"--{self.long}"] + ([f"-{self.short}"] if self.short else [])
        target = dest or self.long.replace("-", "_")
        super().__init__([target, *declared], help=help, hidden=hidden, multiple=many, metavar=kind)
        self.is_flag = kind == "bool"  # for the completion of what comes behind it
        self.target = target
        self.kind = kind
        self.read = read
        self.otherwise = default
        self.many = many

    @property
    def is_switch(self) -> bool:
        """Whether it needs no value."""
        return self.kind == "bool"

    def shown(self) -> str:
        """Its names as error messages show them."""
        return f"-{self.short}, --{self.long}" if self.short else f"--{self.long}"

    def get_help_record(
        self,
        ctx: click.Context,  # noqa: ARG002
    ) -> tuple[str, str] | None:
        """Names and help for `--help`; hidden flags have none."""
        if self.hidden:
            return None
        head = f"-{self.short}, " if self.short else "    "
        kind = "" if self.is_switch else f" {self.kind}"
        return f"{head}--{self.long}{kind}", (self.help or "") + self._default_note()

    def _default_note(self) -> str:
        if self.otherwise in ("", None, False, 0, -1):
            return ""
        text = f'"{self.otherwise}"' if isinstance(self.otherwise, str) else self.otherwise
        return f" (default {str(text).lower() if self.is_switch else text})"


def switch(names: str, help: str, *, default: bool = False, dest: str = "") -> Flag:
    """A flag that is on or off."""
    return Flag(names, "bool", help, read=values.boolean, default=default, dest=dest)


def text(names: str, help: str, *, default: str | None = "", dest: str = "") -> Flag:
    """A flag with any text as its value."""
    return Flag(names, "string", help, default=default, dest=dest)


def number(names: str, help: str, *, default: int | None = 0) -> Flag:
    """A flag with a whole number as its value."""
    return Flag(names, "int", help, read=values.integer, default=default)


def listing(names: str, help: str, *, read: Read = str, kind: str = "list") -> Flag:
    """A flag that may be given often; its values in their order."""
    return Flag(names, kind, help, read=read, many=True)


class Parsed(NamedTuple):
    """What a command line says: values by flag, the rest, and which flags were given."""

    values: dict[str, object]
    rest: list[str]


class Parser:
    """Reads one command's arguments."""

    def __init__(self, flags: Iterable[Flag], *, interspersed: bool = True) -> None:
        self._flags = list(flags)
        self._long = {flag.long: flag for flag in self._flags}
        self._short = {flag.short: flag for flag in self._flags if flag.short}
        self._interspersed = interspersed
        self._found: dict[str, object] = {}

    def parse(self, arguments: Sequence[str]) -> Parsed:
        """Values and positional arguments. Raises FlagError, HelpAsked."""
        self._found = {}
        rest: list[str] = []
        left = list(arguments)
        while left:
            word = left.pop(0)
            if word == "--":
                return self._parsed(rest + left)
            if word.startswith("--"):
                self._read_long(word[2:], left)
            elif word.startswith("-") and len(word) > 1:
                self._read_short(word, left)
            else:
                rest.append(word)
                if not self._interspersed:
                    return self._parsed(rest + left)
        return self._parsed(rest)

    def _parsed(self, rest: list[str]) -> Parsed:
        found: dict[str, object] = {}
        for flag in self._flags:
            default = [] if flag.many else flag.otherwise
            if flag.target not in self._found:
                found[flag.target] = found.get(flag.target, default)
            else:
                found[flag.target] = self._found[flag.target]
        return Parsed(found, rest)

    def _read_long(self, word: str, left: list[str]) -> None:
        name, equals, value = word.partition("=")
        if not name or name.startswith("-"):
            raise FlagError(f"bad flag syntax: --{word}")
        if name not in self._long:
            if name == "help":
                raise HelpAsked
            raise FlagError(f"unknown flag: --{name}")
        flag = self._long[name]
        if equals:
            self._set(flag, value)
        elif flag.is_switch:
            self._set(flag, "true")
        elif left:
            self._set(flag, left.pop(0))
        else:
            raise FlagError(f"flag needs an argument: --{name}")

    def _read_short(self, word: str, left: list[str]) -> None:
        cluster = word[1:]
        while cluster:
            letter, after = cluster[0], cluster[1:]
            flag = self._short.get(letter)
            if flag is None:
                if letter == "h":
                    raise HelpAsked
                raise FlagError(f"unknown shorthand flag: '{letter}' in -{cluster}")
            if after.startswith("="):
                return self._set(flag, after[1:])
            if flag.is_switch:
                self._set(flag, "true")
                cluster = after
                continue
            if not after and not left:
                raise FlagError(f"flag needs an argument: '{letter}' in -{cluster}")
            return self._set(flag, after or left.pop(0))
        return None

    def _set(self, flag: Flag, value: str) -> None:
        try:
            read = flag.read(value)
        except WherryError as error:
            raise FlagError(
                f'invalid argument "{value}" for "{flag.shown()}" flag: {error}'
            ) from error
        if flag.many:
            held = self._found.setdefault(flag.target, [])
            assert isinstance(held, list)
            held.append(read)
        else:
            self._found[flag.target] = read
