"""`wherry start`."""

from wherry.cli import attachment
from wherry.cli.command import Arity, Command, Failed
from wherry.cli.container.run import end_with
from wherry.cli.flags import switch, text
from wherry.cli.relay import Plan
from wherry.cli.session import Session, describe
from wherry.client import containers
from wherry.client.containers import Streams
from wherry.client.document import Document
from wherry.kit.errors import WherryError


def start(
    session: Session, arguments: list[str], *, attach: bool, detach_keys: str, interactive: bool
) -> None:
    """Start one or more stopped containers; attached to one, its exit code is ours."""
    if not (attach or interactive):
        _start_all(session, arguments)
        return
    if len(arguments) > 1:
        raise Failed("you cannot start and attach multiple containers at once")
    found = containers.inspect(session.client, arguments[0])
    keys, sequence = attachment.detach_keys(session, detach_keys)
    plan = Plan(
        stdin=interactive and found.flag("Config", "OpenStdin"),
        tty=found.flag("Config", "Tty"),
        detach=sequence,
    )
    with attachment.forwarding(session, found.text("Id"), on=not plan.tty):
        _start_attached(session, found, plan, keys)


def _start_all(session: Session, names: list[str]) -> None:
    failed = []
    for name in names:
        try:
            containers.start(session.client, name)
        except WherryError as error:
            session.complain(describe(error))
            failed.append(name)
        else:
            session.print(name)
    if failed:
        raise Failed(f"Error: failed to start containers: {', '.join(failed)}")


def _start_attached(session: Session, found: Document, plan: Plan, keys: str) -> None:
    container = found.text("Id")
    streams = Streams(plan.stdin, detach_keys=keys)
    stream = containers.attach(session.client, container, streams)
    removed = found.flag("HostConfig", "AutoRemove")
    waiting = containers.wait(
        session.client.another(), container, "removed" if removed else "next-exit"
    )
    try:
        containers.start(session.client, container)
    except WherryError:
        stream.socket.close()
        raise
    if not attachment.copy(stream, plan, attachment.container_resize(session, container)):
        end_with(waiting)


command = Command(
    "start",
    start,
    "Start one or more stopped containers",
    usage="CONTAINER [CONTAINER...]",
    arity=Arity(1),
    flags=(
        switch("attach a", "Attach STDOUT/STDERR and forward signals"),
        text("detach-keys", "Override the key sequence for detaching a container"),
        switch("interactive i", "Attach container's STDIN"),
    ),
)
