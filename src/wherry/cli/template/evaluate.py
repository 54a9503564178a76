"""Running a template over a value."""

from collections.abc import Callable, Iterator, Mapping

from wherry.cli.template.functions import FUNCTIONS
from wherry.cli.template.nodes import (
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
from wherry.cli.template.parse import parse
from wherry.cli.template.values import Missing, field, is_true, present, shown


class Template:
    """A parsed template; `render` may be called often."""

    def __init__(self, text: str, functions: Mapping[str, Callable[..., object]] = FUNCTIONS):
        self._nodes = parse(text)
        self._functions = functions

    def render(self, value: object) -> str:
        """The text for a value. Raises TemplateError."""
        run = _Run(self._functions, value)
        return "".join(run.nodes(self._nodes, value))


class _Run:
    def __init__(self, functions: Mapping[str, Callable[..., object]], root: object) -> None:
        self._functions = functions
        self._variables: dict[str, object] = {"$": root}

    def nodes(self, nodes: tuple[Node, ...], dot: object) -> Iterator[str]:
        for node in nodes:
            if isinstance(node, Text):
                yield node.text
            elif isinstance(node, Branch):
                yield from self._branch(node, dot)
            elif node.pipe.variables:
                self._pipe(node.pipe, dot)
            else:
                yield shown(present(self._pipe(node.pipe, dot)))

    def _branch(self, node: Branch, dot: object) -> Iterator[str]:
        outer = dict(self._variables)
        value = self._pipe(node.pipe, dot)
        if not is_true(value):
            yield from self.nodes(node.otherwise, dot)
        elif node.kind == "if":
            yield from self.nodes(node.body, dot)
        elif node.kind == "with":
            yield from self.nodes(node.body, value)
        else:
            yield from self._range(node, value)
        self._variables = {name: self._variables[name] for name in outer}

    def _range(self, node: Branch, value: object) -> Iterator[str]:
        names = node.pipe.variables
        for key, item in _entries(value):
            if len(names) == 1:
                self._variables[names[0]] = item
            elif len(names) == 2:
                self._variables[names[0]], self._variables[names[1]] = key, item
            yield from self.nodes(node.body, item)

    def _pipe(self, pipe: Pipe, dot: object) -> object:
        value: object = None
        for position, command in enumerate(pipe.commands):
            value = self._command(command, dot, (value,) if position else ())
        if len(pipe.variables) == 1:
            if not pipe.declares and pipe.variables[0] not in self._variables:
                raise TemplateError(f"undefined variable: {pipe.variables[0]}")
            self._variables[pipe.variables[0]] = value
        return value

    def _command(self, command: Command, dot: object, piped: tuple[object, ...]) -> object:
        first, *rest = command
        if isinstance(first, Function):
            return self._call(first.name, rest, dot, piped)
        value = self._operand(first, dot)
        arguments = [present(self._operand(item, dot)) for item in rest] + list(piped)
        if callable(value):
            return value(*arguments)
        if arguments:
            raise TemplateError("can't give argument to non-function")
        return value

    def _call(
        self, name: str, operands: list[Operand], dot: object, piped: tuple[object, ...]
    ) -> object:
        if name in ("and", "or"):
            return self._logic(name == "or", operands, dot, piped)
        function = self._functions.get(name)
        if function is None:
            raise TemplateError(f'template: :1: function "{name}" not defined')
        values = [self._operand(item, dot) for item in operands] + list(piped)
        if name != "not":
            values = [present(value) for value in values]
        try:
            return function(*values)
        except TypeError as error:
            raise TemplateError(f"wrong number of args for {name}: got {len(values)}") from error

    def _logic(
        self, wanted: bool, operands: list[Operand], dot: object, piped: tuple[object, ...]
    ) -> object:
        value: object = None
        for item in operands:
            value = self._operand(item, dot)
            if is_true(value) == wanted:
                return value
        return piped[0] if piped else value

    def _operand(self, operand: Operand, dot: object) -> object:
        if isinstance(operand, Literal):
            return operand.value
        if isinstance(operand, Function):
            return self._call(operand.name, [], dot, ())
        if isinstance(operand, Field):
            return _walk(dot, operand.path)
        if isinstance(operand, Nested):
            return _walk(self._pipe(operand.pipe, dot), operand.path)
        assert isinstance(operand, Variable)
        if operand.name not in self._variables:
            raise TemplateError(f'template: :1: undefined variable "{operand.name}"')
        return _walk(self._variables[operand.name], operand.path)


def _walk(value: object, path: tuple[str, ...]) -> object:
    for name in path:
        value = field(value, name)
    return value


def _entries(value: object) -> Iterator[tuple[object, object]]:
    if isinstance(value, Mapping):
        for key in sorted(value):
            yield key, value[key]
    elif isinstance(value, list):
        yield from enumerate(value)
    elif not isinstance(value, Missing):
        raise TemplateError(f"range can't iterate over {shown(value)}")
