"""Words as Dockerfile instructions have them: quotes, backslashes, $VARIABLES."""

import re
from collections.abc import Mapping

from wherry.kit.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#]")
_WORD = re.compile(r"""(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"])+|['"]\S*""", re.DOTALL)
_OPEN_QUOTE = "unexpected end of statement while looking for matching"


def split(text: str) -> list[str]:
    """Words with their quotes still on; white space within quotes does not part them."""
    return _WORD.findall(text)


def expand(word: str, variables: Mapping[str, str]) -> str:
    """Take quotes and backslashes off and put variables in.

    Raises InvalidInput for an open quote or a broken `${…}`.
    """
    text, rest = _run(word, variables, "")
    if rest:
        raise InvalidInput(f"unexpected {rest[0]!r} in {word!r}")
    return text


def _run(text: str, variables: Mapping[str, str], closing: str) -> tuple[str, str]:
    """Read up to `closing` (or the end); what was read, and what follows."""
    out: list[str] = []
    while text and text[0] != closing:
        part, text = _next(text, variables)
        out.append(part)
    if closing and not text:
        raise InvalidInput(f"syntax error: missing '{closing}'")
    return "".join(out), text[len(closing) :]


def _next(text: str, variables: Mapping[str, str]) -> tuple[str, str]:
    match text[0]:
        case "'":
            inner, quote, rest = text[1:].partition("'")
            if not quote:
                raise InvalidInput(f"{_OPEN_QUOTE} single-quote")
            return inner, rest
        case '"':
            return _double_quoted(text[1:], variables)
        case "\\":
            return text[1:2], text[2:]
        case "$":
            return _variable(text[1:], variables)
    return text[0], text[1:]


def _double_quoted(text: str, variables: Mapping[str, str]) -> tuple[str, str]:
    """A backslash stays unless it protects a character that would mean something here."""
    out: list[str] = []
    while text and text[0] != '"':
        if text[0] == "$":
            part, text = _variable(text[1:], variables)
        elif text[0] == "\\" and text[1:2] in ('"', "$", "\\"):
            part, text = text[1], text[2:]
        else:
            part, text = text[0], text[1:]
        out.append(part)
    if not text:
        raise InvalidInput(f"{_OPEN_QUOTE} double-quote")
    return "".join(out), text[1:]


def _variable(text: str, variables: Mapping[str, str]) -> tuple[str, str]:
    """What stands after a dollar sign: NAME, {NAME}, {NAME:-word}, {NAME:+word}, {NAME:?word}."""
    if not text.startswith("{"):
        found = _NAME.match(text)
        return (variables.get(found[0], ""), text[found.end() :]) if found else ("$", text)
    found = _NAME.match(text, 1)
    if found is None:
        raise InvalidInput(
            "syntax error: missing '}'" if len(text) == 1 else "syntax error: bad substitution"
        )
    name, rest = found[0], text[found.end() :]
    if rest.startswith("}"):
        return variables.get(name, ""), rest[1:]
    colon = rest.startswith(":")
    modifier, rest = rest[colon : colon + 1], rest[colon + 1 :]
    word, rest = _run(rest, variables, "}")
    # with the colon an empty value counts as none
    is_set = bool(variables.get(name)) if colon else name in variables
    return _modified(name, variables.get(name, ""), is_set, modifier, word), rest


def _modified(name: str, value: str, is_set: bool, modifier: str, word: str) -> str:
    match modifier:
        case "-":
            return value if is_set else word
        case "+":
            return word if is_set else ""
        case "?":
            if is_set:
                return value
            raise InvalidInput(f"{name}: {word or 'is not allowed to be unset'}")
    raise InvalidInput(f"unsupported modifier ({modifier}) in substitution")
