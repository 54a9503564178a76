"""From a record to a running container: reserve, prepare, create, connect, start."""

import contextlib
from typing import NamedTuple

import msgspec

from wherry.engine.containers import health, prepare, volumes
from wherry.engine.containers.container import Container, with_state
from wherry.engine.containers.exits import watch
from wherry.engine.engine import Engine
from wherry.engine.networks.places import emptied, routed
from wherry.engine.networks.telling import connections
from wherry.engine.records import ContainerRecord, EndpointRecord
from wherry.engine.registry import happened
from wherry.engine.spec.facts import Joined
from wherry.kit import failpoints
from wherry.kit.errors import Conflict, WherryError
from wherry.monitor import handle
from wherry.monitor.failure import ProcessFailed
from wherry.monitor.handle import Created, MonitorHandle
from wherry.network.driver import Sandbox


class Started(NamedTuple):
    """What a launch gave."""

    monitor: MonitorHandle
    endpoints: tuple[EndpointRecord, ...]
    pid: int
    at: int


async def launch(engine: Engine, container: Container) -> None:
    """Start a container that is not running; the caller holds its lock.

    A failure leaves it as it was, with the reason in its state. Raises what went wrong.
    """
    await container.left()
    record = container.record
    try:
        joined = joined_namespaces(engine, record)
        started = await _run(engine, container, joined)
    except WherryError as error:
        await _failed(engine, container, error)
        raise
    state = with_state(
        record,
        status="running",
        pid=started.pid,
        exit_code=0,
        error="",
        oom_killed=False,
        started_at=started.at,
        finished_at=record.state.finished_at,
        health=health.begun(health.plan_of(record.request), record.state.health),
    )
    running = msgspec.structs.replace(state, wanted="running", endpoints=started.endpoints)
    container.monitor = started.monitor
    container.stopping = False
    failpoints.reach("start.before-ledger")
    connected = connections(engine.networking.book, running, "connect")
    await engine.containers.update(container, running, *connected, happened(running, "start"))
    watch(engine, container, started.monitor)


async def _run(engine: Engine, container: Container, joined: Joined) -> Started:
    record = container.record
    places = await _reserve(engine, container)
    try:
        held = await volumes.holding(engine, record)
        request = await engine.lanes.files(prepare.prepared, engine, held, places, joined)
        failpoints.reach("start.before-launch")
        monitor = await handle.launch(await engine.zygotes.get(), request)
    except BaseException:
        await _release(engine, container)
        await volumes.released(engine, record)
        raise
    try:
        created = await monitor.wait_created()
        failpoints.reach("start.after-create")
        endpoints = await _connect(engine, record, places, created)
        await _hand_over(container, monitor)
        failpoints.reach("start.after-connect")
        at = await monitor.start()
    except BaseException:
        await _abandon(engine, container, places, monitor)
        raise
    return Started(monitor, endpoints, created.init.pid, at)


async def _reserve(engine: Engine, container: Container) -> tuple[EndpointRecord, ...]:
    """Addresses, in the ledger together with the container that has them."""
    networking, record = engine.networking, container.record
    async with networking.addresses.taking(record, record.endpoints) as taken:
        reserved = routed(taken.places, networking.book.find)
        changed = msgspec.structs.replace(record, endpoints=reserved)
        if changed != record:
            await engine.containers.update(container, changed, changes=taken.changes)
    return reserved


async def _release(engine: Engine, container: Container) -> None:
    record = container.record
    async with engine.networking.addresses.freeing(record, record.endpoints) as changes:
        empty = tuple(emptied(place) for place in record.endpoints)
        changed = msgspec.structs.replace(record, endpoints=empty)
        await engine.containers.update(container, changed, changes=changes)


async def _connect(
    engine: Engine, record: ContainerRecord, places: tuple[EndpointRecord, ...], created: Created
) -> tuple[EndpointRecord, ...]:
    sandbox = Sandbox(created.netns, created.rtnetlink, created.init.pid)
    try:
        joined = await engine.networking.join(record, places, sandbox)
        await engine.networking.names.joined(record, joined, sandbox)
        return joined
    finally:
        created.close()


async def _hand_over(container: Container, monitor: MonitorHandle) -> None:
    pending, container.pending = container.pending, []
    for attach in pending:
        await attach.hand_over(monitor)


async def _abandon(
    engine: Engine,
    container: Container,
    places: tuple[EndpointRecord, ...],
    monitor: MonitorHandle,
) -> None:
    """Take back a container that was created and did not start."""
    if monitor.exited is None:
        with contextlib.suppress(WherryError):  # it may have ended by itself just now
            await monitor.kill(9)
    await monitor.wait_gone()
    monitor.close()
    await engine.networking.leave(container.record, places)
    await engine.networking.names.stopped(container.record)
    await _release(engine, container)
    await volumes.released(engine, container.record)


async def _failed(engine: Engine, container: Container, error: WherryError) -> None:
    code = error.code if isinstance(error, ProcessFailed) else 128
    record = with_state(container.record, exit_code=code, error=str(error), pid=0)
    for attach in container.pending:
        attach.close()
    container.pending = []
    await engine.containers.update(container, record)


def joined_namespaces(engine: Engine, record: ContainerRecord) -> Joined:
    """The paths of other containers' namespaces. Raises Conflict where one is not running."""
    host = record.request.host_config
    found = Joined()
    for field, mode, name in (
        ("network", host.network_mode, "net"),
        ("pid", host.pid_mode, "pid"),
        ("ipc", host.ipc_mode, "ipc"),
    ):
        if mode.startswith("container:"):
            pid = _running_pid(engine, mode.removeprefix("container:"), field)
            found = found._replace(**{field: f"/proc/{pid}/ns/{name}"})
            if field == "ipc":
                _check_shareable(engine, mode.removeprefix("container:"))
                found = found._replace(shm=f"/proc/{pid}/root/dev/shm")
    return found


def _check_shareable(engine: Engine, ref: str) -> None:
    other = engine.containers.find(ref)
    if other.record.request.host_config.ipc_mode not in ("shareable", "host"):
        raise Conflict(
            f"can't join IPC of container {other.id}: non-shareable IPC "
            "(hint: use IpcMode:shareable for the donor container)"
        )


def _running_pid(engine: Engine, ref: str, what: str) -> int:
    other = engine.containers.find(ref)
    if not other.running:
        raise Conflict(f"cannot join {what} of a non running container: {other.id}")
    return other.state.pid
