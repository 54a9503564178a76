"""Command lines as runc's library reads them: one or two dashes, `--name value`, `--name=value`."""

from collections.abc import Mapping
from typing import NamedTuple

from wherry.kit.errors import InvalidInput

_TRUE = ("true", "1", "t")
_FALSE = ("false", "0", "f")


class Syntax(NamedTuple):
    """What a command takes: options with a value, switches, and other names for both."""

    values: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    aliases: Mapping[str, str] = {}
    most: int = 1
    """Largest number of words that are no options; -1 for any."""


class Arguments:
    """A command line that was read."""

    __slots__ = ("_switches", "_values", "words")

    def __init__(self, words: list[str], values: dict[str, list[str]], switches: set[str]) -> None:
        self.words = words
        self._values = values
        self._switches = switches

    def value(self, name: str, default: str = "") -> str:
        """The last value that was given."""
        return self._values.get(name, [default])[-1]

    def all(self, name: str) -> tuple[str, ...]:
        """All values that were given, in order."""
        return tuple(self._values.get(name, ()))

    def number(self, name: str, default: int = 0) -> int:
        """A whole number. Raises InvalidInput."""
        text = self.value(name, str(default))
        try:
            return int(text)
        except ValueError as error:
            raise InvalidInput(f"--{name}: {text!r} is not a number") from error

    def has(self, name: str) -> bool:
        """Whether a switch is on, or a value was given."""
        return name in self._switches or name in self._values

    def word(self, index: int, name: str) -> str:
        """A word that has to be there. Raises InvalidInput."""
        if index >= len(self.words):
            raise InvalidInput(f"{name} is missing")
        return self.words[index]


def read(words: list[str], syntax: Syntax, *, interspersed: bool = True) -> Arguments:
    """Read a command line. Raises InvalidInput for an option that is not known.

    With `interspersed` False the first word that is no option ends the options (exec, and the
    options before the command).
    """
    rest: list[str] = []
    values: dict[str, list[str]] = {}
    switches: set[str] = set()
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if word == "--":
            rest += words[index:]
            break
        if not word.startswith("-") or word == "-":
            rest.append(word)
            if not interspersed:
                rest += words[index:]
                break
            continue
        index += _take_option(word, words[index:], syntax, values, switches)
    if 0 <= syntax.most < len(rest):
        raise InvalidInput(f"too many arguments: {' '.join(rest[syntax.most :])}")
    return Arguments(rest, values, switches)


def _take_option(
    word: str,
    following: list[str],
    syntax: Syntax,
    values: dict[str, list[str]],
    switches: set[str],
) -> int:
    """Note one option; how many of the following words it took."""
    name, equals, text = word.lstrip("-").partition("=")
    name = syntax.aliases.get(name, name)
    if name in syntax.switches:
        if equals and text.lower() not in _TRUE + _FALSE:
            raise InvalidInput(f"--{name}: {text!r} is neither true nor false")
        (switches.discard if equals and text.lower() in _FALSE else switches.add)(name)
        return 0
    if name not in syntax.values:
        raise InvalidInput(f"flag provided but not defined: {word}")
    if not equals and not following:
        raise InvalidInput(f"flag needs an argument: {word}")
    values.setdefault(name, []).append(text if equals else following[0])
    return 0 if equals else 1
