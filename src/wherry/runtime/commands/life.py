"""create, start, kill, delete, pause, resume."""

import os
import signal
import socket

from wherry.kit.errors import InvalidInput, Unsupported
from wherry.runtime import lifecycle
from wherry.runtime.commands.arguments import Arguments, Syntax, read
from wherry.runtime.commands.setting import Setting
from wherry.runtime.request import CreateRequest

CREATE = Syntax(
    values=("bundle", "console-socket", "pid-file", "preserve-fds", "pidfd-socket"),
    switches=("no-pivot", "no-new-keyring", "detach", "no-subreaper", "keep"),
    aliases={"b": "bundle", "d": "detach"},
)
_ONLY_ID = Syntax()


def request_of(arguments: Arguments, setting: Setting) -> CreateRequest:
    """The options of create and run as a request, without a console."""
    refuse_pidfd_socket(arguments)
    return CreateRequest(
        container_id=arguments.word(0, "container id"),
        bundle=os.path.abspath(arguments.value("bundle") or "."),
        state_root=setting.root,
        pid_file=_absolute(arguments.value("pid-file")),
        preserve_fds=arguments.number("preserve-fds"),
        no_pivot=arguments.has("no-pivot"),
        new_keyring=not arguments.has("no-new-keyring"),
        filter_cache=setting.filter_cache,
        warn=setting.journal.warning,
    )


def refuse_pidfd_socket(arguments: Arguments) -> None:
    """Raises Unsupported where the one option of runc that we do not have is given."""
    if arguments.has("pidfd-socket"):
        raise Unsupported("--pidfd-socket is not supported; use --pid-file")


def _absolute(path: str) -> str:
    return os.path.abspath(path) if path else ""


def connect_console(path: str) -> socket.socket:
    """The socket that the caller waits at for a terminal. Raises InvalidInput."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(path)
    except OSError as error:
        sock.close()
        raise InvalidInput(f"--console-socket {path}: {error.strerror}") from error
    return sock


def command_create(setting: Setting, words: list[str]) -> int:
    """Make a container that waits for start."""
    arguments = read(words, CREATE)
    request = request_of(arguments, setting)
    if arguments.has("console-socket"):
        with connect_console(arguments.value("console-socket")) as sock:
            lifecycle.create(request._replace(console_socket=sock.fileno()))
    else:
        lifecycle.create(request)
    return 0


def command_start(setting: Setting, words: list[str]) -> int:
    """Let the container's program run."""
    lifecycle.start(setting.root, read(words, _ONLY_ID).word(0, "container id"))
    return 0


def command_kill(setting: Setting, words: list[str]) -> int:
    """Signal the container's init."""
    arguments = read(words, Syntax(switches=("all",), aliases={"a": "all"}, most=2))
    name = arguments.words[1] if len(arguments.words) > 1 else "SIGTERM"
    container_id = arguments.word(0, "container id")
    lifecycle.kill(setting.root, container_id, parse_signal(name), arguments.has("all"))
    return 0


def parse_signal(text: str) -> int:
    """`9`, `KILL`, `sigkill`, `SIGRTMIN+3` → number. Raises InvalidInput."""
    if text.isdigit() and len(text) <= 3 and 0 < int(text) <= 64:
        return int(text)
    name = text.upper().removeprefix("SIG")
    base, plus, offset = name.partition("+")
    found = getattr(signal, f"SIG{base}", None)
    if isinstance(found, signal.Signals) and (not plus or offset.isdigit()):
        number = int(found) + int(offset or 0)
        if 0 < number <= 64:
            return number
    raise InvalidInput(f"unknown signal {text!r}")


def command_delete(setting: Setting, words: list[str]) -> int:
    """Remove a stopped container."""
    arguments = read(words, Syntax(switches=("force",), aliases={"f": "force"}))
    lifecycle.delete(setting.root, arguments.word(0, "container id"), arguments.has("force"))
    return 0


def command_pause(setting: Setting, words: list[str]) -> int:
    """Freeze all processes."""
    lifecycle.pause(setting.root, read(words, _ONLY_ID).word(0, "container id"))
    return 0


def command_resume(setting: Setting, words: list[str]) -> int:
    """Let them run again."""
    lifecycle.resume(setting.root, read(words, _ONLY_ID).word(0, "container id"))
    return 0
