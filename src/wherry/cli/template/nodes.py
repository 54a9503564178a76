"""What a parsed template is made of."""

from typing import NamedTuple, TypeAlias

from wherry.kit.errors import InvalidInput


class TemplateError(InvalidInput):
    """A template that cannot be read, or does not fit the value."""


class Field(NamedTuple):
    """`.A.B`, or `.` where the path is empty."""

    path: tuple[str, ...]


class Variable(NamedTuple):
    """`$name.A.B`; `$` alone is the value the template was given."""

    name: str
    path: tuple[str, ...]


class Literal(NamedTuple):
    """A string, number, boolean or nil."""

    value: object


class Function(NamedTuple):
    """A function's name."""

    name: str


class Nested(NamedTuple):
    """A pipeline in parentheses, with fields taken from its result."""

    pipe: "Pipe"
    path: tuple[str, ...]


Operand: TypeAlias = Field | Variable | Literal | Function | Nested
Command: TypeAlias = tuple[Operand, ...]


class Pipe(NamedTuple):
    """`$a, $b := command | command`."""

    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    declares: bool = True


class Text(NamedTuple):
    """Text outside of actions."""

    text: str


class Action(NamedTuple):
    """`{{pipeline}}`: printed, unless it sets a variable."""

    pipe: Pipe


class Branch(NamedTuple):
    """`if`, `with` and `range`, with an optional else."""

    kind: str
    pipe: Pipe
    body: tuple["Node", ...]
    otherwise: tuple["Node", ...]


Node: TypeAlias = Text | Action | Branch
