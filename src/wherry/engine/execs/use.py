"""exec: create, start, resize, inspect."""

import asyncio
import contextlib
import os
import socket
from typing import Protocol

import msgspec

from wherry.dockerapi.execs import (
    ExecCreateRequest,
    ExecInspect,
    ExecProcess,
    ExecStartRequest,
)
from wherry.dockerapi.streams import STDOUT, frame
from wherry.engine import rootfs
from wherry.engine.containers import links
from wherry.engine.containers.attach import Hijacked
from wherry.engine.containers.container import Container
from wherry.engine.containers.prepare import resolved_user
from wherry.engine.engine import Engine
from wherry.engine.execs.table import Exec
from wherry.engine.records import ContainerRecord
from wherry.engine.registry import happened
from wherry.engine.spec import bundle, capabilities, process, security
from wherry.engine.spec.facts import User
from wherry.kit.errors import Conflict, InvalidInput, WherryError
from wherry.kit.ids import new_id
from wherry.linux.path import make_directories_in_root
from wherry.monitor.failure import ProcessFailed
from wherry.monitor.handle import MonitorHandle
from wherry.monitor.protocol import AttachOptions, ExecLaunch

_PARTING = 1.0
"""Seconds for a client to see the end of a stream."""


class ExecConnection(Hijacked, Protocol):
    """A connection that knows whether it has become a stream."""

    taken: bool


async def create(engine: Engine, ref: str, request: ExecCreateRequest) -> str:
    """The new exec's id. Raises Conflict where the container does not run."""
    container = engine.containers.find(ref)
    monitor = _running(container)
    if not request.cmd:
        raise InvalidInput("No exec command specified")
    monitor.expect_exec()
    made = Exec(new_id(), container.id, request)
    engine.execs.add(container, made)
    command = " ".join(request.cmd)
    told = happened(container.record, f"exec_create: {command}", execID=made.id)
    await engine.journal.commit([], told)
    return made.id


def _running(container: Container) -> MonitorHandle:
    if container.state.status == "paused":
        raise Conflict(
            f"Container {container.record.name} is paused, unpause the container before exec"
        )
    if container.state.status == "restarting":
        raise Conflict(
            f"Container {container.id} is restarting, wait until the container is running"
        )
    if container.monitor is None or not container.running:
        raise Conflict(f"Container {container.id} is not running")
    return container.monitor


async def start(
    engine: Engine, id: str, request: ExecStartRequest, hijacked: ExecConnection | None
) -> None:
    """Run it, detached without a connection. Raises Conflict, ProcessFailed, InvalidInput."""
    made = engine.execs.find(id)
    if made.running or made.exit_code is not None:
        raise Conflict(f"Error: Exec command {id} has already run")
    container = engine.containers.find(made.container)
    _running(container)
    made.running = True
    try:
        if hijacked is None:
            await _detached(engine, container, made, request)
        else:
            await _attached(engine, container, made, request, hijacked)
    except WherryError as error:
        made.running = False
        made.exit_code = error.code if isinstance(error, ProcessFailed) else 126
        if hijacked is None or not hijacked.taken:
            raise
    command = " ".join(made.request.cmd or [])
    told = happened(container.record, f"exec_start: {command}", execID=made.id)
    await engine.journal.commit([], told)


async def _detached(
    engine: Engine, container: Container, made: Exec, request: ExecStartRequest
) -> None:
    launch = await engine.lanes.files(exec_launch, engine, container, made, request)
    made.pid = (await _running(container).execute(launch)).pid


async def _attached(
    engine: Engine,
    container: Container,
    made: Exec,
    request: ExecStartRequest,
    hijacked: Hijacked,
) -> None:
    """Once the connection is a stream, what goes wrong is said in the stream, as dockerd does.

    The start says whether the stream has frames, whatever the exec has for a terminal: clients
    that do not say `Tty` a second time read frames.
    """
    launch = await engine.lanes.files(exec_launch, engine, container, made, request)
    wanted, framed = made.request, not request.tty
    sock, leftover = await hijacked.take(multiplexed=framed)
    options = AttachOptions(
        stdin=wanted.attach_stdin,
        stdout=wanted.attach_stdout,
        stderr=wanted.attach_stderr,
        mux=framed,
        detach_keys=wanted.detach_keys,
        leftover=leftover,
    )
    with sock:
        try:
            started = await _running(container).execute(
                launch._replace(attach=options), sock.fileno()
            )
        except WherryError as error:
            text = f"OCI runtime exec failed: exec failed: {error}\r\n".encode()
            with contextlib.suppress(OSError):  # the client has left
                sock.send(frame(STDOUT, text) if framed else text)
            await _part(sock)
            raise
    made.pid = started.pid


async def _part(sock: socket.socket) -> None:
    """Close with manners: what a client had sent and nobody read turns the end into a reset."""
    loop = asyncio.get_running_loop()
    sock.setblocking(False)
    with contextlib.suppress(OSError, TimeoutError):
        sock.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(_PARTING):
            while await loop.sock_recv(sock, 1 << 16):
                continue


def exec_launch(
    engine: Engine, container: Container, made: Exec, request: ExecStartRequest
) -> ExecLaunch:
    """The OCI process object, by the container's own files. Blocking."""
    wanted = made.request
    with rootfs.opened((), container.state.pid) as root:
        user = _user(engine, container, root, wanted.user)
        if wanted.working_dir:
            os.close(make_directories_in_root(root, wanted.working_dir))
    height, width = request.console_size if any(request.console_size) else wanted.console_size
    return ExecLaunch(
        exec_id=made.id,
        process=_process(engine, container, wanted, user),
        tty=wanted.tty,
        open_stdin=wanted.attach_stdin,
        console_size=(width, height),
    )


def _user(engine: Engine, container: Container, root: int, text: str) -> User:
    user = resolved_user(root, container.record, text or None)
    return bundle.effective_user(user, engine.host.ids)


def _linked(engine: Engine, record: ContainerRecord) -> list[str]:
    """The variables of its links; without those whose container has ended meanwhile."""
    try:
        return links.environment(record.name, links.linked(engine, record))
    except (Conflict, InvalidInput):
        return []


def _process(
    engine: Engine, container: Container, wanted: ExecCreateRequest, user: User
) -> dict[str, object]:
    record = container.record
    host = record.request.host_config
    options = security.parse(host.security_opt or [])
    privileged = host.privileged or wanted.privileged
    granted = capabilities.granted(
        host.cap_add or [], host.cap_drop or [], engine.host.capabilities, privileged=privileged
    )
    # TERM goes with this terminal, whether or not the container itself has one
    request = msgspec.structs.replace(record.request, tty=wanted.tty)
    base = process.environment(request, bundle.hostname(record), _linked(engine, record))
    return {
        "terminal": wanted.tty,
        "user": process.user_object(user),
        "args": wanted.cmd,
        "env": process.merge_environment(base, wanted.env or []),
        "cwd": wanted.working_dir or record.request.working_dir or "/",
        "capabilities": process.capability_sets(granted),
        "rlimits": process.rlimits(record.request),
        "noNewPrivileges": options.no_new_privileges,
        **security.labels(options, engine.host, privileged=privileged),
    }


async def resize(engine: Engine, id: str, height: int, width: int) -> None:
    """Raises NotFound, Conflict where it does not run."""
    made = engine.execs.find(id)
    container = engine.containers.find(made.container)
    await _running(container).resize(width, height, made.id)


async def inspect(engine: Engine, id: str) -> ExecInspect:
    """Raises NotFound."""
    made = engine.execs.find(id)
    wanted = made.request
    command = wanted.cmd or [""]
    return ExecInspect(
        id=made.id,
        running=made.running,
        exit_code=made.exit_code,
        process_config=ExecProcess(
            tty=wanted.tty,
            entrypoint=command[0],
            arguments=tuple(command[1:]),
            privileged=wanted.privileged,
            user=wanted.user,
        ),
        open_stdin=wanted.attach_stdin,
        open_stderr=wanted.attach_stderr,
        open_stdout=wanted.attach_stdout,
        can_remove=False,
        container_id=made.container,
        detach_keys=wanted.detach_keys,
        pid=made.pid,
    )
