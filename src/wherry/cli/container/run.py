"""`wherry run`: create, attach, start, wait; its exit code is the container's."""

from wherry.cli import attachment
from wherry.cli.command import Arity, Command, Failed
from wherry.cli.container.create import (
    check_pull,
    engine_errors,
    make,
    session_proxies,
    usage_errors,
)
from wherry.cli.container.options import CREATE
from wherry.cli.container.request import build
from wherry.cli.container.settings import Settings
from wherry.cli.flags import switch, text
from wherry.cli.relay import Plan
from wherry.cli.session import Session
from wherry.client import containers
from wherry.client.connection import Hijacked
from wherry.client.containers import Streams
from wherry.client.document import Document, Json
from wherry.kit.errors import WherryError


def run(session: Session, arguments: list[str], **values: object) -> None:
    """Run a command in a new container."""
    settings = Settings(values)
    with usage_errors("run"):
        body = build(settings, arguments[0], arguments[1:], session_proxies(session))
        check_pull(settings.text("pull"))
    _fit_detach(settings, body)
    keys_text, keys = attachment.detach_keys(session, settings.text("detach_keys"))
    with engine_errors("run"):
        container = make(session, settings, body)
    plan = _plan(Document(body), keys)
    with attachment.forwarding(session, container, on=settings.on("sig_proxy")):
        if plan is None:
            with engine_errors(""):
                containers.start(session.client, container)
            session.print(container)
            return
        _run_attached(session, container, plan, keys_text, removed=settings.on("rm"))


def _fit_detach(settings: Settings, body: dict[str, Json]) -> None:
    """`-d` attaches nothing; without it a terminal needs one here. Raises Failed."""
    if not settings.on("detach"):
        attachment.check_tty(stdin=body["AttachStdin"] is True, tty=settings.on("tty"))
        return
    if settings.texts("attach"):
        raise Failed("Conflicting options: -a and -d")
    for name in ("AttachStdin", "AttachStdout", "AttachStderr", "StdinOnce"):
        body[name] = False


def _plan(body: Document, keys: bytes) -> Plan | None:
    """What to attach; None for nothing."""
    stdin, stdout, stderr = (body.flag(f"Attach{name}") for name in ("Stdin", "Stdout", "Stderr"))
    if not (stdin or stdout or stderr):
        return None
    return Plan(stdin, stdout, stderr, tty=body.flag("Tty"), detach=keys)


def _run_attached(
    session: Session, container: str, plan: Plan, keys: str, *, removed: bool
) -> None:
    if not (plan.stdout or plan.stderr):
        session.print(container)
    stream = _attach(session, container, plan, keys)
    waiting = containers.wait(
        session.client.another(), container, "removed" if removed else "next-exit"
    )
    try:
        with engine_errors(""):
            containers.start(session.client, container)
    except Failed:
        stream.socket.close()
        if removed:
            waiting.result()
        raise
    if attachment.copy(stream, plan, attachment.container_resize(session, container)):
        return
    end_with(waiting)


def _attach(session: Session, container: str, plan: Plan, keys: str) -> Hijacked:
    streams = Streams(plan.stdin, plan.stdout, plan.stderr, detach_keys=keys)
    with engine_errors("run"):
        return containers.attach(session.client, container, streams)


def end_with(waiting: containers.Waiting) -> None:
    """Wait for the container's end and make its exit code ours. Raises Failed."""
    try:
        result = waiting.result()
    except WherryError as error:
        raise Failed(f"wherry: error waiting for container: {error}", 125) from error
    if result.error:
        raise Failed(f"wherry: error waiting for container: {result.error}", 125)
    if result.code:
        raise Failed("", result.code)


command = Command(
    "run",
    run,
    "Run a command in a new container",
    usage="IMAGE [COMMAND] [ARG...]",
    arity=Arity(1),
    flags=(
        *CREATE,
        switch("detach d", "Run container in background and print container ID"),
        text("detach-keys", "Override the key sequence for detaching a container"),
        switch("sig-proxy", "Proxy received signals to the process", default=True),
    ),
    interspersed=False,
)
