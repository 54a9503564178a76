"""run: create, start, and unless detached wait and delete."""

from wherry.kit.errors import InvalidInput
from wherry.linux import process
from wherry.runtime import lifecycle
from wherry.runtime.commands import foreground
from wherry.runtime.commands.arguments import Arguments, read
from wherry.runtime.commands.life import CREATE, connect_console, request_of
from wherry.runtime.commands.setting import Setting
from wherry.runtime.request import CreateRequest
from wherry.runtime.spec import load


def command_run(setting: Setting, words: list[str]) -> int:
    """Make and start a container."""
    arguments = read(words, CREATE)
    request = request_of(arguments, setting)
    if arguments.has("detach"):
        return _run_detached(arguments, request)
    process.become_subreaper()
    foreground.hold_signals()
    return _run_attached(arguments, request._replace(die_with_parent=True))


def _run_detached(arguments: Arguments, request: CreateRequest) -> int:
    if arguments.has("console-socket"):
        with connect_console(arguments.value("console-socket")) as sock:
            lifecycle.create(request._replace(console_socket=sock.fileno()))
    else:
        lifecycle.create(request)
    _start(request)
    return 0


def _start(request: CreateRequest) -> None:
    """Start; a container that cannot be started is not left behind."""
    try:
        lifecycle.start(request.state_root, request.container_id)
    except BaseException:
        lifecycle.delete(request.state_root, request.container_id, force=True)
        raise


def _run_attached(arguments: Arguments, request: CreateRequest) -> int:
    if arguments.has("console-socket"):
        raise InvalidInput("--console-socket needs --detach: a foreground run has our terminal")
    spec = load(request.bundle)
    terminal = foreground.Terminal() if spec.process and spec.process.terminal else None
    if terminal is not None:
        request = request._replace(console_socket=terminal.theirs.fileno())
    state = lifecycle.create(request)
    try:
        if terminal is not None:
            terminal.open()
        lifecycle.start(request.state_root, request.container_id)
        return foreground.wait(state.pid) if terminal is None else terminal.relay(state.pid)
    finally:
        if terminal is not None:
            terminal.close()
        if not arguments.has("keep"):
            lifecycle.delete(request.state_root, request.container_id, force=True)
