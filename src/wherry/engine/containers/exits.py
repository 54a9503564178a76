"""What follows when a container ends: its record, its network, its restart, its removal."""

import asyncio
import contextlib
import logging

import msgspec

from wherry.engine.containers import restarts, volumes
from wherry.engine.containers.container import Container, with_state
from wherry.engine.containers.health_checks import run_checks
from wherry.engine.engine import Engine
from wherry.engine.events import Event
from wherry.engine.networks.places import emptied
from wherry.engine.networks.telling import connections
from wherry.engine.registry import happened
from wherry.kit import clock, failpoints
from wherry.kit.errors import WherryError
from wherry.monitor import files, handle
from wherry.monitor.handle import MonitorHandle
from wherry.monitor.protocol import KILLED, Exit, Fields

log = logging.getLogger(__name__)


def watch(engine: Engine, container: Container, monitor: MonitorHandle) -> None:
    """Follow a running container to its end, in a task of the engine's."""
    task = asyncio.create_task(_follow(engine, container, monitor))
    engine.own(task)


async def _follow(engine: Engine, container: Container, monitor: MonitorHandle) -> None:
    end = monitor.subscribe(lambda fields: _told(engine, container, fields))
    checks = asyncio.create_task(run_checks(engine, container, monitor))
    engine.own(checks)
    try:
        exit_ = await monitor.wait_exit()
    finally:
        checks.cancel()
        end()
    async with container.lock:
        if container.monitor is not monitor:
            return
        if exit_.error == KILLED:
            await _clean(engine, container)
        container.leaving = monitor
        await ended(engine, container, exit_)
    await container.left()
    await _afterwards(engine, container)


async def _clean(engine: Engine, container: Container) -> None:
    """What a killed monitor could not do: end the container, remove its cgroups and mounts."""
    record = files.read_record(engine.settings.folders.exec_dir(container.id))
    if record is not None:
        with contextlib.suppress(WherryError):  # the next start meets what is left, and says so
            await handle.clean(await engine.zygotes.get(), record.request)


def _told(engine: Engine, container: Container, fields: Fields) -> None:
    """Events of the monitor's that listeners hear of but that change no record."""
    kind = fields["event"]
    if kind == "oom":
        engine.own(asyncio.create_task(_announce(engine, happened(container.record, "oom"))))
    elif kind == "detached":
        engine.own(asyncio.create_task(_announce(engine, happened(container.record, "detach"))))
    elif kind == "log_lost":
        lost = happened(container.record, "log_lost", error=str(fields["text"]))
        engine.own(asyncio.create_task(_announce(engine, lost)))
        log.warning("the log of container %s loses lines: %s", container.id, fields["text"])
    elif kind == "exec_exit":
        made = engine.execs.exited(str(fields["exec"]), Exit.from_fields(fields["exit"]))
        if made is not None:
            died = happened(
                container.record, "exec_die", execID=made.id, exitCode=str(made.exit_code)
            )
            if made.probe:
                engine.journal.announce(died)
            else:
                engine.own(asyncio.create_task(_announce(engine, died)))


async def _announce(engine: Engine, event: Event) -> None:
    await engine.journal.commit([], event)


async def ended(engine: Engine, container: Container, exit_: Exit) -> None:
    """One transaction: the record of the end and its event. The caller holds the lock."""
    record = container.record
    networking = engine.networking
    failpoints.reach("exit.before-leave")
    await networking.leave(record, record.endpoints)
    await networking.names.stopped(record)
    endpoints = tuple(emptied(place) for place in record.endpoints)
    await volumes.released(engine, record)
    state = with_state(
        record,
        status="exited",
        pid=0,
        exit_code=exit_.code,
        oom_killed=exit_.oom,
        error=exit_.error,
        finished_at=exit_.finished or clock.now(),
    )
    if not container.stopping and restarts.wants_restart(state):
        state = with_state(state, status="restarting")
    wanted = "stopped" if container.stopping else record.wanted
    state = msgspec.structs.replace(state, endpoints=endpoints, wanted=wanted)
    container.monitor = None
    engine.execs.forget(container)
    died = happened(state, "die", exitCode=str(exit_.code))
    gone = connections(networking.book, record, "disconnect")
    failpoints.reach("exit.before-ledger")
    async with networking.addresses.freeing(record, record.endpoints) as changes:
        await engine.containers.update(container, state, died, *gone, changes=changes)
    container.exits += 1  # not sooner: who waits for the end must not find it running
    await container.notify()


async def _afterwards(engine: Engine, container: Container) -> None:
    """Restart it or remove it, if that is what was asked for."""
    from wherry.engine.containers.lifecycle import restart_by_policy
    from wherry.engine.containers.removal import remove

    record, exits = container.record, container.exits
    if record.state.status == "restarting":
        container.delay = restarts.next_delay(record, container.delay)
        await asyncio.sleep(container.delay)
        await restart_by_policy(engine, container, exits)
    elif record.request.host_config.auto_remove and container.id not in engine.kept:
        await remove(engine, record.id, force=True, volumes=True)
