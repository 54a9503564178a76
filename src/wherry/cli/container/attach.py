"""`wherry attach`."""

from wherry.cli import attachment
from wherry.cli.command import Arity, Command, Failed
from wherry.cli.container.run import end_with
from wherry.cli.flags import switch, text
from wherry.cli.relay import Plan
from wherry.cli.session import Session
from wherry.client import containers
from wherry.client.containers import Streams
from wherry.client.document import Document


def attach(
    session: Session, arguments: list[str], *, detach_keys: str, no_stdin: bool, sig_proxy: bool
) -> None:
    """Attach local streams to a running container; its exit code is ours."""
    found = containers.inspect(session.client, arguments[0])
    _check_running(found)
    container, tty = found.text("Id"), found.flag("Config", "Tty")
    plan = Plan(stdin=not no_stdin and found.flag("Config", "OpenStdin"), tty=tty)
    attachment.check_tty(stdin=plan.stdin, tty=tty)
    keys, sequence = attachment.detach_keys(session, detach_keys)
    waiting = containers.wait(session.client.another(), container)
    with attachment.forwarding(session, container, on=sig_proxy and not tty):
        stream = containers.attach(session.client, container, Streams(plan.stdin, detach_keys=keys))
        resize = attachment.container_resize(session, container)
        if attachment.copy(stream, plan._replace(detach=sequence), _redrawing(resize)):
            raise Failed("read escape sequence")
    end_with(waiting)


def _check_running(found: Document) -> None:
    """Raises Failed for a container that cannot be attached to now."""
    state = found.child("State")
    if not state.flag("Running"):
        raise Failed("You cannot attach to a stopped container, start it first")
    if state.flag("Paused"):
        raise Failed("You cannot attach to a paused container, unpause it first")
    if state.flag("Restarting"):
        raise Failed("You cannot attach to a restarting container, wait until it is running")


def _redrawing(resize: attachment.Resize) -> attachment.Resize:
    """A resize whose first call changes the size twice, so that the program draws itself anew."""
    fresh = True

    def twice(columns: int, lines: int) -> None:
        nonlocal fresh
        if fresh:
            resize(columns, lines + 1)
            fresh = False
        resize(columns, lines)

    return twice


command = Command(
    "attach",
    attach,
    "Attach local standard input, output, and error streams to a running container",
    usage="CONTAINER",
    arity=Arity(1, 1),
    flags=(
        text("detach-keys", "Override the key sequence for detaching a container"),
        switch("no-stdin", "Do not attach STDIN"),
        switch("sig-proxy", "Proxy all received signals to the process", default=True),
    ),
)
