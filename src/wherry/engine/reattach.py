"""After a restart of the daemon: the ledger's truth and the monitors' truth become one again.

Each difference is one transaction with its event. What a crash left half done is removed: snapshots
and folders without a record, records marked for removal.
"""

import asyncio
import contextlib
import os

import msgspec

from wherry.engine.collection import remove_layers, unused
from wherry.engine.containers import folders, health, removal, restarts, stages, volumes
from wherry.engine.containers.container import Container, with_state
from wherry.engine.containers.exits import ended, watch
from wherry.engine.containers.lifecycle import start, thaw
from wherry.engine.engine import Engine
from wherry.engine.networks.connect import undo
from wherry.engine.records import StateRecord
from wherry.engine.registry import happened
from wherry.kit import clock
from wherry.kit.errors import WherryError
from wherry.monitor import handle
from wherry.monitor.handle import Exited, Lost, MonitorHandle
from wherry.monitor.protocol import Exit
from wherry.network.driver import Sandbox

CLEANING = 10.0
"""Seconds that a runtime may take to remove what a killed monitor left."""


async def reattach(engine: Engine) -> None:
    """Find every container again."""
    running = [container.record for container in engine.containers if container.running]
    await engine.networking.restore(running)
    engine.networking.names.remember(running)
    for container in engine.containers:
        async with container.lock:
            await _reattach(engine, container)
    await engine.lanes.files(volumes.settle, engine)
    await engine.lanes.long(sweep, engine)
    for container in engine.containers:
        await stages.clean(engine, container)
        if container.state.status == "removing":
            await removal.finish(engine, container)
        elif _was_to_go(container):
            await removal.remove(engine, container.id, force=True, volumes=True)
    await _start_again_all(engine)


def _was_to_go(container: Container) -> bool:
    """Started with `--rm`, and ended while nobody watched."""
    ended = container.state.status == "exited" and container.state.started_at is not None
    return ended and container.record.request.host_config.auto_remove


async def _reattach(engine: Engine, container: Container) -> None:
    exec_dir = engine.settings.folders.exec_dir(container.id)
    record = container.record
    expected = record.state.status in ("running", "paused", "restarting")
    if not expected and not os.path.exists(exec_dir):
        return
    found = await handle.reattach(exec_dir)
    if isinstance(found, MonitorHandle) and found.hello["phase"] == "created":
        found = await _given_up(found)
    if isinstance(found, MonitorHandle) and found.exited is None:
        await _adopt(engine, container, found)
    elif record.state.status == "restarting" and not _newer(found, record.state):
        await engine.containers.update(container, with_state(record, status="exited"))
    elif isinstance(found, Lost) and not expected:
        await _clean(engine, found)
    elif expected:
        await _has_ended(engine, container, found)


def _newer(found: MonitorHandle | Exited | Lost, state: StateRecord) -> bool:
    """Whether an end is one that the ledger does not have: it was just being restarted."""
    if not isinstance(found, Exited) or not found.exit.started:
        return False
    return found.exit.finished != state.finished_at


async def _given_up(monitor: MonitorHandle) -> Exited:
    """Made, and not started before the last daemon went: the monitor ends it by itself."""
    exit_ = await monitor.wait_exit()
    await monitor.wait_gone()
    monitor.close()
    return Exited(exit_, monitor.request)


async def _adopt(engine: Engine, container: Container, monitor: MonitorHandle) -> None:
    """It lives. If the crash came between its start and the ledger, the ledger learns it now."""
    record = container.record
    container.monitor = monitor
    pid = int(monitor.hello["init"]["pid"])
    if record.state.status not in ("running", "paused") or record.state.pid != pid:
        begun = health.begun(health.plan_of(record.request), record.state.health)
        state = with_state(
            record, status="running", pid=pid, started_at=clock.now(), error="", health=begun
        )
        running = msgspec.structs.replace(state, wanted="running")
        await engine.containers.update(container, running, happened(running, "start"))
    if container.state.status == "paused" and container.state.held:
        await thaw(engine, container)
    await _rejoined(engine, container)
    watch(engine, container, monitor)


async def _rejoined(engine: Engine, container: Container) -> None:
    """Its networks: a change of them that a crash cut short is taken back, and names are told."""
    for place in container.record.endpoints:
        if place.changing:
            await undo(engine, container, place)
    record = container.record
    if record.endpoints:
        sandbox = Sandbox(-1, -1, record.state.pid)
        await engine.networking.names.joined(record, record.endpoints, sandbox)


async def _has_ended(
    engine: Engine, container: Container, found: MonitorHandle | Exited | Lost
) -> None:
    if isinstance(found, MonitorHandle):
        exit_ = await found.wait_exit()
        await found.wait_gone()
    elif isinstance(found, Exited):
        exit_ = found.exit
    else:
        exit_ = Exit(found.code, 9, finished=clock.now(), error=found.reason)
        await _clean(engine, found)
    await ended(engine, container, exit_)
    if container.state.status == "restarting":  # no task waits to do so: see _start_again_all
        exited = with_state(container.record, status="exited")
        await engine.containers.update(container, exited)


async def _clean(engine: Engine, lost: Lost) -> None:
    """Cgroups and mounts of a container whose monitor was killed."""
    if lost.request is not None:
        # what cannot be cleaned is found by the sweep; a runtime that hangs must not hold us up
        with contextlib.suppress(WherryError, TimeoutError):
            zygote = await engine.zygotes.get()
            await asyncio.wait_for(handle.clean(zygote, lost.request), CLEANING)


async def _start_again_all(engine: Engine) -> None:
    """What policies want to run again; what shares namespaces comes after their owners."""
    wanted = {
        container.id: restarts.needs(container.record)
        for container in engine.containers
        if not container.running and restarts.wanted_at_start(container.record)
    }
    for together in restarts.waves(wanted):
        await asyncio.gather(*(_start_again(engine, engine.containers.find(id)) for id in together))


async def _start_again(engine: Engine, container: Container) -> None:
    with contextlib.suppress(WherryError):  # the reason is in the container's state
        await start(engine, container.id)


def sweep(engine: Engine) -> None:
    """Remove what has no record: folders and snapshots of containers and images never recorded."""
    known = {container.id for container in engine.containers}
    base = os.path.dirname(engine.settings.folders.bundle("x"))
    for name in os.listdir(base) if os.path.isdir(base) else ():
        if name not in known:
            folders.remove(engine, name)
    remove_layers(engine, unused(engine))
