"""Template text → nodes."""

import json
import re
from collections.abc import Iterator

from wherry.cli.template.nodes import (
    Action,
    Branch,
    Command,
    Field,
    Function,
    Literal,
    Nested,
    Node,
    Operand,
    Pipe,
    TemplateError,
    Text,
    Variable,
)

_ACTION = re.compile(
    r"\{\{(-\s)?\s*(/\*.*?\*/|(?:\"(?:\\.|[^\"\\])*\"|`[^`]*`|[^\"`])*?)\s*(\s-)?\}\}", re.DOTALL
)
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:\\.|[^"\\\n])*"|`[^`]*`)|(?P<char>'(?:\\.|[^'\\])')"""
    r"""|(?P<number>[+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?))"""
    r"""|(?P<variable>\$[A-Za-z0-9_]*)|(?P<field>\.[A-Za-z_][A-Za-z0-9_]*)|(?P<dot>\.)"""
    r"""|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>:=|[=|(),]))"""
)
_WORDS = {"true": True, "false": False, "nil": None}


def parse(text: str) -> tuple[Node, ...]:
    """Read a template. Raises TemplateError."""
    pieces = list(_pieces(text))
    nodes, end = _Builder(pieces).block()
    if end:
        raise TemplateError(f"template: :1: unexpected {{{{{end}}}}}")
    return nodes


def _pieces(text: str) -> Iterator[tuple[bool, str]]:
    """Pairs of "is an action" and text, with the trim markers obeyed."""
    at, trim = 0, False
    for match in _ACTION.finditer(text):
        before = text[at : match.start()]
        before = before.lstrip() if trim else before
        yield False, before.rstrip() if match[1] else before
        if not match[2].startswith("/*"):
            yield True, match[2]
        at, trim = match.end(), bool(match[3])
    rest = text[at:]
    if "{{" in rest:
        raise TemplateError("template: :1: unclosed action")
    yield False, rest.lstrip() if trim else rest


class _Builder:
    """Nests the actions: if, with, range … end."""

    def __init__(self, pieces: list[tuple[bool, str]]) -> None:
        self._pieces = pieces
        self._at = 0

    def block(self) -> tuple[tuple[Node, ...], str]:
        """Nodes up to the `end` or `else` that closes them; that word, with what follows it."""
        nodes: list[Node] = []
        while self._at < len(self._pieces):
            is_action, text = self._pieces[self._at]
            self._at += 1
            if not is_action:
                if text:
                    nodes.append(Text(text))
                continue
            word, _, rest = text.partition(" ")
            if word in ("end", "else"):
                return tuple(nodes), text
            if word in ("if", "with", "range"):
                nodes.append(self._branch(word, rest))
            else:
                nodes.append(Action(_Pipeline(text).whole()))
        return tuple(nodes), ""

    def _branch(self, kind: str, text: str) -> Branch:
        pipe = _Pipeline(text).whole()
        body, end = self.block()
        otherwise: tuple[Node, ...] = ()
        if end.startswith("else "):
            word, _, rest = end[5:].strip().partition(" ")
            return Branch(kind, pipe, body, (self._branch(word, rest),))
        if end == "else":
            otherwise, end = self.block()
        if end != "end":
            raise TemplateError("template: :1: unexpected EOF")
        return Branch(kind, pipe, body, otherwise)


class _Pipeline:
    """Reads the inside of one action."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def whole(self) -> Pipe:
        """The pipeline; all of the text belongs to it."""
        pipe = self._pipe()
        if self._at < len(self._tokens):
            raise TemplateError(
                f"template: :1: unexpected {self._tokens[self._at][1]!r} in operand"
            )
        return pipe

    def _pipe(self) -> Pipe:
        variables, declares = self._variables()
        commands = [self._command()]
        while self._sign("|"):
            commands.append(self._command())
        if not all(commands):
            raise TemplateError("template: :1: missing value for command")
        return Pipe(tuple(commands), variables, declares)

    def _variables(self) -> tuple[tuple[str, ...], bool]:
        start, names = self._at, []
        while self._at < len(self._tokens) and self._tokens[self._at][0] == "variable":
            names.append(self._tokens[self._at][1])
            self._at += 1
            if self._sign(":="):
                return tuple(names), True
            if self._sign("="):
                return tuple(names), False
            if not self._sign(","):
                break
        self._at = start
        return (), True

    def _command(self) -> Command:
        operands: list[Operand] = []
        while self._at < len(self._tokens):
            kind, text, _ = self._tokens[self._at]
            if kind == "sign" and text != "(":
                break
            self._at += 1
            operands.append(self._operand(kind, text))
        return tuple(operands)

    def _operand(self, kind: str, text: str) -> Operand:
        if kind == "sign":
            pipe = self._pipe()
            if not self._sign(")"):
                raise TemplateError("template: :1: unclosed left paren")
            return Nested(pipe, self._path())
        if kind == "variable":
            return Variable(text, self._path())
        if kind == "field":
            return Field((text[1:], *self._path()))
        if kind == "dot":
            return Field(())
        if kind == "word":
            return Literal(_WORDS[text]) if text in _WORDS else Function(text)
        return Literal(_literal(kind, text))

    def _path(self) -> tuple[str, ...]:
        names = []
        while self._at < len(self._tokens):
            kind, text, glued = self._tokens[self._at]
            if kind != "field" or not glued:
                break
            names.append(text[1:])
            self._at += 1
        return tuple(names)

    def _sign(self, sign: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][:2] == ("sign", sign):
            self._at += 1
            return True
        return False


def _tokens(text: str) -> Iterator[tuple[str, str, bool]]:
    """Kind, text, and whether it follows the one before without a space."""
    at, text = 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise TemplateError(f"template: :1: unexpected {text[at:].strip()[:1]!r} in operand")
        yield match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) == at
        at = match.end()


def _literal(kind: str, text: str) -> object:
    if kind == "number":
        return float(text) if "." in text else int(text, 0)
    if text.startswith("`"):
        return text[1:-1]
    try:
        found: object = json.loads(f'"{text[1:-1]}"')
    except ValueError as error:
        raise TemplateError(f"template: :1: invalid syntax in {text}") from error
    return ord(str(found)) if kind == "char" else found
