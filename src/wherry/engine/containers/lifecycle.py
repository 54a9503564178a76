"""start, stop, restart, kill, pause, unpause, rename."""

import asyncio
import contextlib
import signal as signals

import msgspec

from wherry.engine.containers import removal
from wherry.engine.containers.cgroup import placed
from wherry.engine.containers.container import Container, with_state
from wherry.engine.containers.launch import launch
from wherry.engine.containers.signalling import send, signal_number, until_gone
from wherry.engine.engine import Engine
from wherry.engine.naming import check_name
from wherry.engine.records import ContainerRecord
from wherry.engine.registry import happened
from wherry.kit.errors import Conflict, InvalidInput, NotFound, NotPermitted, WherryError
from wherry.monitor.handle import MonitorHandle

STOP_TIMEOUT = 10
"""Seconds between the stop signal and SIGKILL where nobody says otherwise."""


async def start(engine: Engine, ref: str) -> bool:
    """False: it runs already. Raises Conflict, and what a launch raises."""
    container = engine.containers.find(ref)
    async with container.lock:
        if container.state.status == "paused":
            raise Conflict("cannot start a paused container, try unpause instead")
        if container.running or container.state.status == "restarting":
            return False
        _refuse_removal(container)
        container.stopping, container.delay = False, 0.0
        _begin_count(container)
        try:
            await launch(engine, container)
            return True
        except WherryError as error:
            failed, cause = container.record, error
    if failed.request.host_config.auto_remove:
        await removal.remove(engine, failed.id, force=True, volumes=True)
    raise _again(failed, cause)


def _again(record: ContainerRecord, cause: WherryError) -> WherryError:
    """What a start says; a network that is gone or an address that is taken keep their status."""
    kept = isinstance(cause, NotFound | NotPermitted) and record.state.error == str(cause)
    return cause if kept else InvalidInput(record.state.error)


def _refuse_removal(container: Container) -> None:
    if container.removed or container.state.status in ("removing", "dead"):
        raise Conflict("container is marked for removal and cannot be started")


def _begin_count(container: Container) -> None:
    """A client's start begins a new count; the launch writes it down."""
    container.record = msgspec.structs.replace(
        container.record, restart_count=0, restarts_in_a_row=0
    )


async def restart_by_policy(engine: Engine, container: Container, exits: int) -> None:
    """The start that a restart policy wants after that end; a failure ends the restarts."""
    async with container.lock:
        if container.removed or container.stopping or container.exits != exits:
            return
        if container.state.status != "restarting":
            return
        record = container.record
        counted = msgspec.structs.replace(
            record,
            restart_count=record.restart_count + 1,
            restarts_in_a_row=record.restarts_in_a_row + 1,
        )
        await engine.containers.update(container, counted)
        try:
            await launch(engine, container)
        except WherryError:
            stopped = with_state(container.record, status="exited")
            await engine.containers.update(container, stopped)


async def stop(engine: Engine, ref: str, timeout: int | None, signal: str | None) -> bool:
    """Stop signal, patience, SIGKILL. False: it was not running. Negative timeout: for ever."""
    container = engine.containers.find(ref)
    container.stopping = True
    if container.state.status == "restarting":
        await end_restarts(engine, container)
        await engine.journal.commit([], happened(container.record, "stop"))
        return True
    if not container.running:
        return False
    await _stop(engine, container, timeout, signal)
    await engine.journal.commit([], happened(container.record, "stop"))
    return True


async def end_restarts(engine: Engine, container: Container) -> None:
    """A client does not want the restart that is waited for."""
    container.stopping = True
    async with container.lock:
        if container.state.status != "restarting":
            return
        record = with_state(container.record, status="exited")
        await engine.containers.update(container, msgspec.structs.replace(record, wanted="stopped"))


async def _stop(
    engine: Engine, container: Container, timeout: int | None, signal: str | None
) -> None:
    record = container.record
    seconds = timeout if timeout is not None else record.request.stop_timeout
    seconds = STOP_TIMEOUT if seconds is None else seconds
    number = signal_number(signal or record.request.stop_signal or "SIGTERM")
    if container.state.status == "paused":
        await unpause(engine, container.id)
    exits = container.exits
    await send(engine, container, number)
    try:
        await asyncio.wait_for(
            container.until(lambda: container.exits > exits), None if seconds < 0 else seconds
        )
    except TimeoutError:
        await send(engine, container, signals.SIGKILL)
        await until_gone(container, exits)


async def stop_unhealthy(engine: Engine, container: Container, monitor: MonitorHandle) -> None:
    """End a container for what its health check says; its restart policy starts it again."""
    if container.monitor is monitor and container.running and not container.stopping:
        with contextlib.suppress(WherryError):  # it has ended by itself, or hangs in the kernel
            await _stop(engine, container, None, None)


async def restart(engine: Engine, ref: str, timeout: int | None, signal: str | None) -> None:
    """Stop it if it runs, then start it."""
    container = engine.containers.find(ref)
    if container.state.status == "restarting":
        await end_restarts(engine, container)
    if container.running:
        auto_remove = container.record.request.host_config.auto_remove
        container.stopping = True
        if auto_remove:
            engine.kept.add(container.id)
        try:
            await _stop(engine, container, timeout, signal)
        finally:
            engine.kept.discard(container.id)
    await start(engine, container.id)
    await engine.journal.commit([], happened(container.record, "restart"))


async def kill(engine: Engine, ref: str, signal: str) -> None:
    """Send a signal. Raises Conflict where it is not running, InvalidInput."""
    container = engine.containers.find(ref)
    number = signal_number(signal or "SIGKILL")
    if container.state.status == "restarting":
        await end_restarts(engine, container)
        return
    if not container.running:
        raise Conflict(f"Cannot kill container: {ref}: Container {container.id} is not running")
    own_stop = signal_number(container.record.request.stop_signal or "SIGTERM")
    if number in (signals.SIGKILL, own_stop):
        container.stopping = True
    if number == signals.SIGKILL and container.state.status == "paused":
        await unpause(engine, container.id)
    exits = container.exits
    await send(engine, container, number)
    if number == signals.SIGKILL:
        await until_gone(container, exits)


async def pause(engine: Engine, ref: str, *, held: bool = False) -> None:
    """Freeze; `held` only until the engine's own work is done. Raises Conflict, Unsupported."""
    container = engine.containers.find(ref)
    async with container.lock:
        if container.state.status == "paused":
            raise Conflict(f"Container {container.id} is already paused")
        if not container.running:
            raise Conflict(f"Container {container.id} is not running")
        await engine.lanes.files(placed(engine, container).freeze)
        record = with_state(container.record, status="paused", held=held)
        await engine.containers.update(container, record, happened(record, "pause"))


async def unpause(engine: Engine, ref: str) -> None:
    """Thaw. Raises Conflict."""
    container = engine.containers.find(ref)
    async with container.lock:
        if container.state.status != "paused":
            raise Conflict(f"Container {container.id} is not paused")
        await thaw(engine, container)


async def thaw(engine: Engine, container: Container) -> None:
    """Let a paused container go on; the caller holds its lock."""
    await engine.lanes.files(placed(engine, container).thaw)
    record = with_state(container.record, status="running", held=False)
    await engine.containers.update(container, record, happened(record, "unpause"))


async def rename(engine: Engine, ref: str, name: str) -> None:
    """Another name. Raises Conflict, InvalidInput."""
    container = engine.containers.find(ref)
    if not name:
        raise InvalidInput("Neither old nor new names may be empty")
    async with container.lock:
        try:
            new = check_name(name if name.startswith("/") else f"/{name}")
        except InvalidInput as error:
            raise InvalidInput(f"Error when allocating new name: {error}") from error
        if new == container.record.name:
            raise InvalidInput("Renaming a container with the same name as its current name")
        record = msgspec.structs.replace(container.record, name=new)
        await engine.containers.rename(container, record)
        await engine.networking.names.renamed(record)
