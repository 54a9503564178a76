"""An attached container or exec: raw terminal, window size, signals, streams."""

import contextlib
import time
from collections.abc import Callable, Iterator

from wherry.cli import signals, terminal
from wherry.cli.command import Failed
from wherry.cli.relay import Plan, Relay
from wherry.cli.session import Session, is_terminal
from wherry.client import containers
from wherry.client.connection import Hijacked
from wherry.kit.errors import WherryError

Resize = Callable[[int, int], None]
"""Sets the size of the container's terminal: columns, lines."""


def check_tty(*, stdin: bool, tty: bool) -> None:
    """Refuse a terminal for a process whose input is none. Raises Failed."""
    if stdin and tty and not is_terminal(0):
        raise Failed("the input device is not a TTY")


def detach_keys(session: Session, given: str) -> tuple[str, bytes]:
    """The sequence in force, as text and as bytes. Raises InvalidInput."""
    text = given or session.config.detach_keys
    return text, terminal.detach_sequence(text)


def copy(stream: Hijacked, plan: Plan, resize: Resize | None = None) -> bool:
    """Join the streams until one side ends; True if the user detached.

    `resize` is given where the process has a terminal, and is called at once and at every change
    of our window.
    """
    with contextlib.ExitStack() as stack:
        stack.callback(stream.socket.close)
        if plan.tty and plan.stdin:
            stack.enter_context(terminal.raw(0))
        if resize is not None and plan.tty and is_terminal(1):
            _first_resize(resize)
            stack.enter_context(terminal.on_resize(lambda: _resize(resize)))
        return Relay(stream, plan).run()


def _resize(resize: Resize) -> bool:
    """Pass our window's size on; a process that is just ending is no error."""
    lines, columns = terminal.size_of(1)
    try:
        if lines and columns:
            resize(columns, lines)
    except WherryError:
        return False
    return True


def _first_resize(resize: Resize) -> None:
    """Try a few times: the process's terminal may not be there yet."""
    for attempt in range(5):
        if _resize(resize):
            return
        time.sleep(0.01 * (attempt + 1))


@contextlib.contextmanager
def forwarding(session: Session, container: str, *, on: bool) -> Iterator[None]:
    """Pass signals on to the container while the block runs."""
    if not on:
        yield
        return
    client = session.client

    def send(name: str) -> None:
        with contextlib.closing(client.another()) as other, contextlib.suppress(WherryError):
            containers.kill(other, container, name)

    with signals.forwarded(send):
        yield


def container_resize(session: Session, container: str) -> Resize:
    """How a container's terminal is resized, on a connection of its own."""
    other = session.client.another()

    def resize(columns: int, lines: int) -> None:
        containers.resize(other, container, columns, lines)

    return resize
