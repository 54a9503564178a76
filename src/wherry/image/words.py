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
        raise InvalidInput(f"syntax error: {closing!r} is missing")
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
    """What stands after a dollar sign: NAME, {NAME}, {NAME:-word} or {NAME:+word}."""
    if not text.startswith("{"):
        found = _NAME.match(text)
        return (variables.get(found[0], ""), text[found.end() :]) if found else ("$", text)
    found = _NAME.match(text, 1)
    if found is None:
        raise InvalidInput(f"syntax error: bad substitution in '${text}'")
    value, rest = variables.get(found[0], ""), text[found.end() :]
    if rest.startswith("}"):
        return value, rest[1:]
    modifier, rest = rest[:2], rest[2:]
    word, rest = _run(rest, variables, "}")
    if modifier == ":-":
        return value or word, rest
    if modifier == ":+":
        return word if value else "", rest
    raise InvalidInput(f"unsupported modifier ({modifier[1:]}) in substitution")
