"""Commands and lazily loaded groups, with Docker's usage errors and exit codes."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

from wherry.cli.flags import Flag, FlagError, HelpAsked, Parser
from wherry.kit.errors import WherryError


class Failed(WherryError):
    """End the program with this exit code; the text, if any, goes to standard error as it is."""

    def __init__(self, text: str = "", code: int = 1) -> None:
        super().__init__(text)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[0])


class Arity(NamedTuple):
    """How many arguments a command takes; most = -1 is "any number"."""

    least: int = 0
    most: int = -1

    def complaint(self, count: int) -> str:
        """What is wrong with this many arguments, in Docker's words; empty if nothing."""
        if self.least <= count and (self.most < 0 or count <= self.most):
            return ""
        if self.most == 0:
            return "accepts no arguments."
        if self.most < 0:
            return f"requires at least {_arguments(self.least)}."
        if self.least == self.most:
            return f"requires exactly {_arguments(self.least)}."
        if self.least == 0:
            return f"requires at most {_arguments(self.most)}."
        return f"requires at least {self.least} and at most {_arguments(self.most)}."


def _arguments(count: int) -> str:
    return f"{count} argument{'' if count == 1 else 's'}"


class Command(click.Command):
    """One command: its callback gets the session, the arguments, and a keyword a flag."""

    def __init__(
        self,
        name: str,
        callback: Callable[..., None],
        help: str,
        *,
        usage: str = "",
        arity: Arity = Arity(),  # noqa: B008 — an immutable value
        flags: Sequence[Flag] = (),
        interspersed: bool = True,
        raw: bool = False,
    ) -> None:
        super().__init__(name, params=list(flags), callback=callback, help=help)
        self.usage = usage
        self.arity = arity
        self.flags = list(flags)
        self.interspersed = interspersed
        self.raw = raw
        """Whether the arguments are passed on unread."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read flags and arguments. Raises Failed for a wrong command line."""
        if self.raw or ctx.resilient_parsing:
            ctx.params, ctx.args = {}, list(args) if self.raw else self._so_far(args)
            return ctx.args
        try:
            parsed = Parser(self.flags, interspersed=self.interspersed).parse(args)
        except HelpAsked:
            click.echo(ctx.get_help())
            raise click.exceptions.Exit(0) from None
        except FlagError as error:
            raise Failed(f"{error}\nSee '{ctx.command_path} --help'.", 125) from error
        complaint = self.arity.complaint(len(parsed.rest))
        if complaint:
            raise Failed(self._usage_error(ctx.command_path, complaint))
        ctx.params, ctx.args = dict(parsed.values), parsed.rest
        return ctx.args

    def _so_far(self, args: list[str]) -> list[str]:
        """The arguments of a line that is being completed, which may be wrong still."""
        try:
            return Parser(self.flags, interspersed=self.interspersed).parse(args).rest
        except (FlagError, HelpAsked):
            return list(args)

    def _usage_error(self, path: str, complaint: str) -> str:
        return (
            f"\"{path}\" {complaint}\nSee '{path} --help'.\n\n"
            f"Usage:  {path}{self._usage_tail()}\n\n{self.help}"
        )

    def _usage_tail(self) -> str:
        return (" [OPTIONS]" if self.flags else "") + (f" {self.usage}" if self.usage else "")

    def invoke(self, ctx: click.Context) -> None:
        """Call the callback with the session, the arguments, and a keyword a flag."""
        assert self.callback is not None
        self.callback(ctx.obj, ctx.args, **ctx.params)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Flags, and the names of containers, images… where the command takes them."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            return found
        from wherry.cli.completion import names

        return [*found, *names(ctx, self.usage, incomplete, first=not ctx.args)]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help page in Docker's layout."""
        formatter.write(f"\nUsage:  {ctx.command_path}{self._usage_tail()}\n\n{self.help}\n")
        records = [flag.get_help_record(ctx) for flag in sorted(self.flags, key=lambda f: f.long)]
        shown = [record for record in records if record is not None]
        if shown:
            formatter.write("\nOptions:\n")
            formatter.indent()
            formatter.write_dl(shown, col_max=34)
            formatter.dedent()


LATER = frozenset(
    (
        "build", "builder", "buildx", "compose", "config", "manifest", "node", "plugin", "prune",
        "secret", "service", "stack", "swarm", "trust",
    )
)  # fmt: skip
"""Docker's commands that are known, but not here yet."""


class Entry(NamedTuple):
    """Where a command is: module (below wherry.cli), attribute, and its line in the help."""

    module: str
    help: str
    attribute: str = "command"
    hidden: bool = False


class Group(click.Group):
    """Commands that are imported only when they are called."""

    def __init__(
        self,
        name: str,
        help: str,
        entries: dict[str, Entry],
        *,
        aliases: dict[str, str] | None = None,
        sections: Mapping[str, Sequence[str]] | None = None,
        params: Sequence[click.Parameter] = (),
    ) -> None:
        super().__init__(name, help=help, params=list(params), add_help_option=True)
        self.entries = entries
        self.aliases = aliases or {}
        self.sections = sections or {}
        """Headings of the help page and the commands below them; the rest is "Commands"."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the group's own flags; without any argument the help is shown."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            raise click.exceptions.Exit(0)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All names that are shown, sorted."""
        return sorted(name for name, entry in self.entries.items() if not entry.hidden)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        """Import a command; None where there is none of that name."""
        entry = self.entries.get(self.aliases.get(cmd_name, cmd_name))
        if entry is None:
            return None
        found = getattr(import_module(f"wherry.cli.{entry.module}"), entry.attribute)
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names. Raises Failed where there is none."""
        command = self.get_command(ctx, args[0])
        if command is None and not ctx.resilient_parsing:
            raise Failed(self._unknown(ctx, args[0]))
        return args[0], command, args[1:]

    def _unknown(self, ctx: click.Context, name: str) -> str:
        path = ctx.command_path
        if name in LATER:
            return f"{path} {name} is not part of this release; {path} --help lists what is"
        if ctx.parent is None:
            return f"{path}: '{name}' is not a {path} command.\nSee '{path} --help'"
        return f"{path}: unknown command {name!r}\nSee '{path} --help'"

    def _rows(self, names: Sequence[str]) -> list[tuple[str, str]]:
        return [(name, self.entries[name].help) for name in names if name in self.entries]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help page in Docker's layout, from the table: no command is imported for it."""
        path = ctx.command_path
        own = [record for record in (p.get_help_record(ctx) for p in self.params) if record]
        options = " [OPTIONS]" if own else ""
        formatter.write(f"\nUsage:  {path}{options} COMMAND\n\n{self.help}\n")
        sections = [(title, self._rows(names)) for title, names in self.sections.items()]
        named = {name for names in self.sections.values() for name in names}
        rest = self._rows([name for name in self.list_commands(ctx) if name not in named])
        for title, lines in (("Options", own), *sections, ("Commands", rest)):
            if lines:
                formatter.write(f"\n{title}:\n")
                formatter.indent()
                formatter.write_dl(lines)
                formatter.dedent()
        formatter.write(f"\nRun '{path} COMMAND --help' for more information on a command.\n")
