"""The program's table of commands and its exit."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

import wherry
from wherry.kit.errors import InvalidInput, WherryError
from wherry.runtime.commands.arguments import read
from wherry.runtime.commands.journal import Journal
from wherry.runtime.commands.setting import SYNTAX, Setting, default_root
from wherry.runtime.errors import CommandNotExecutable, CommandNotFound
from wherry.runtime.spec import SUPPORTED

Command = Callable[[Setting, list[str]], int]

_MODULES = {
    "create": "life",
    "delete": "life",
    "events": "usage",
    "exec": "executing",
    "features": "features",
    "kill": "life",
    "list": "report",
    "pause": "life",
    "ps": "report",
    "resume": "life",
    "run": "running",
    "spec": "template",
    "start": "life",
    "state": "report",
    "update": "updating",
}
"""Command → the file that has it as function `command_<name>`: only what is used is imported."""

_HELP = """usage: wherry-runtime [options] command [arguments]

An OCI runtime with runc's command line.

commands: {commands}

options:
  --root DIR           where the state of containers is kept
  --log FILE           where the log goes (default: stderr)
  --log-format FORMAT  text or json
  --version            the versions of program and specification
"""


def main(words: list[str]) -> NoReturn:
    """Run a command and exit."""
    journal = Journal()
    try:
        status = _dispatch(words)
    except _Failed as failure:
        failure.journal.error(failure.text)
        status = 1
    except (WherryError, OSError) as error:
        journal.error(str(error))
        status = 1
    sys.stdout.flush()
    os._exit(status)


class _Failed(Exception):
    """A command's error with the log it has to go to."""

    def __init__(self, text: str, journal: Journal) -> None:
        super().__init__(text)
        self.text = text
        self.journal = journal


def _dispatch(words: list[str]) -> int:
    options = read(words, SYNTAX, interspersed=False)
    if options.has("version"):
        sys.stdout.write(f"wherry-runtime version {wherry.__version__}\nspec: {SUPPORTED}\n")
        return 0
    if options.has("help") or not options.words or options.words[0] in ("help", "h"):
        sys.stdout.write(_HELP.format(commands=" ".join(sorted(_MODULES))))
        return 0
    journal = Journal(options.value("log"), options.value("log-format"))
    try:
        setting = Setting(os.path.abspath(options.value("root") or default_root()), journal)
        return _find(options.words[0])(setting, options.words[1:])
    except (WherryError, OSError) as error:
        raise _Failed(_text_of(error), journal) from error


def _find(name: str) -> Command:
    module = _MODULES.get(name)
    if module is None:
        raise InvalidInput(f"unknown command {name!r}; one of {' '.join(sorted(_MODULES))}")
    path = f"wherry.runtime.commands.{module}"
    __import__(path)
    command: Command = getattr(sys.modules[path], f"command_{name}")
    return command


def _text_of(error: BaseException) -> str:
    if isinstance(error, CommandNotFound | CommandNotExecutable):
        return f"unable to start container process: {error}"
    return str(error)
