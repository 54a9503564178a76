"""Health checks as they are run: an exec now and then, for as long as the container runs.

One task a container. It writes to the ledger only when something changes; the execs of checks are
told to those who listen to events and not kept, so hundreds of containers cost little.
"""

import asyncio
import contextlib
import socket

import msgspec

from wherry.dockerapi.execs import ExecCreateRequest, ExecStartRequest
from wherry.engine.containers import health, restarts
from wherry.engine.containers.container import Container, with_state
from wherry.engine.containers.health import HealthPlan
from wherry.engine.engine import Engine
from wherry.engine.execs.table import Exec
from wherry.engine.execs.use import exec_launch
from wherry.engine.records import HealthRecord, ProbeResult
from wherry.engine.registry import happened
from wherry.kit import clock
from wherry.kit.errors import Conflict, NotFound, WherryError
from wherry.kit.files import read_optional, write_atomic
from wherry.kit.ids import new_id
from wherry.monitor import files
from wherry.monitor.handle import MonitorHandle
from wherry.monitor.protocol import AttachOptions, ExecLaunch, Exit, Fields

_OUTPUT = AttachOptions(stdin=False, stdout=True, stderr=True, mux=False)
_READ = 1 << 16
_KILL = 9
_GONE = 5.0
"""Seconds that a killed check may take to be gone."""


async def run_checks(engine: Engine, container: Container, monitor: MonitorHandle) -> None:
    """Check for ever; the caller cancels it when the container ends."""
    plan = health.plan_of(container.record.request)
    found = container.state.health
    if plan is None or found is None:
        return
    await _end_left(monitor)
    launch: ExecLaunch | None = None
    while True:
        await _until_due(container, plan)
        start = clock.now()
        try:
            launch = launch or await _prepared(engine, container, plan)
            code, output = await _probe(engine, container, monitor, plan, launch)
        except WherryError as error:
            code, output = -1, f"OCI runtime exec failed: exec failed: {error}"
        result = ProbeResult(start, clock.now(), code, output)
        await _record(engine, container, monitor, plan, result)


async def _end_left(monitor: MonitorHandle) -> None:
    """A check that the last daemon began has nobody to end it in time, or to hear its result."""
    note = files.probe_path(monitor.exec_dir)
    left = (read_optional(note) or b"").decode()
    if left:
        with contextlib.suppress(WherryError):  # it has ended
            await monitor.kill(_KILL, left)
        files.remove([note])


async def _until_due(container: Container, plan: HealthPlan) -> None:
    """Wait for the next check; a frozen container is not checked."""
    while True:
        state = container.state
        found = state.health or HealthRecord()
        wait = health.pause_before(plan, found, state.started_at or 0, clock.now())
        await asyncio.sleep(wait / clock.SECOND)
        if container.state.status == "running":
            return
        await container.until(lambda: container.state.status == "running")


async def _prepared(engine: Engine, container: Container, plan: HealthPlan) -> ExecLaunch:
    """What a check runs as; it is the same each time."""
    request = ExecCreateRequest(cmd=list(plan.command), attach_stdout=True, attach_stderr=True)
    made = Exec("probe", container.id, request)
    launch = await engine.lanes.files(exec_launch, engine, container, made, ExecStartRequest())
    return launch._replace(attach=_OUTPUT)


async def _probe(
    engine: Engine,
    container: Container,
    monitor: MonitorHandle,
    plan: HealthPlan,
    launch: ExecLaunch,
) -> tuple[int, str]:
    """Exit code and output of one run. Raises what an exec raises."""
    made = Exec(
        new_id(), container.id, ExecCreateRequest(cmd=list(plan.command)), running=True, probe=True
    )
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    end = monitor.subscribe(lambda fields: _note_end(fields, made.id, ended))
    output = bytearray()
    ours, theirs = socket.socketpair()
    with ours, contextlib.ExitStack() as undo:
        undo.callback(end)
        with theirs:
            engine.execs.add(container, made)
            write_atomic(files.probe_path(monitor.exec_dir), made.id.encode(), durable=False)
            undo.callback(_forget, engine, container, monitor, made)
            await _start(engine, container, monitor, made, launch, theirs)
        try:
            async with asyncio.timeout(plan.timeout / clock.SECOND):
                await _read_all(ours, output)
                return await ended, health.kept_output(bytes(output))
        except TimeoutError:
            await _kill(monitor, made, ended)
    return -1, _late(plan, bytes(output))


async def _start(
    engine: Engine,
    container: Container,
    monitor: MonitorHandle,
    made: Exec,
    launch: ExecLaunch,
    sock: socket.socket,
) -> None:
    command = " ".join(made.request.cmd or [])
    record = container.record
    engine.journal.announce(happened(record, f"exec_create: {command}", execID=made.id))
    async with engine.probing:
        begun = await monitor.execute(launch._replace(exec_id=made.id), sock.fileno())
    made.pid = begun.pid
    engine.journal.announce(happened(record, f"exec_start: {command}", execID=made.id))


def _forget(engine: Engine, container: Container, monitor: MonitorHandle, made: Exec) -> None:
    """Nothing of a check stays, in memory or in the monitor's folder."""
    engine.execs.drop(container, made)
    notes = (files.exec_exit_path(monitor.exec_dir, made.id), files.probe_path(monitor.exec_dir))
    files.remove(notes)


def _note_end(fields: Fields, id: str, ended: "asyncio.Future[int]") -> None:
    if fields["event"] == "exec_exit" and fields["exec"] == id and not ended.done():
        ended.set_result(Exit.from_fields(fields["exit"]).code)


async def _read_all(sock: socket.socket, output: bytearray) -> None:
    """Until its end; a byte more than is kept tells that there was more."""
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    while piece := await loop.sock_recv(sock, _READ):
        output += piece[: max(0, health.OUTPUT_LIMIT + 1 - len(output))]


async def _kill(monitor: MonitorHandle, made: Exec, ended: "asyncio.Future[int]") -> None:
    """End a check that takes too long, before the next one begins."""
    with contextlib.suppress(Conflict, NotFound):  # it has ended just now
        await monitor.kill(_KILL, made.id)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ended, _GONE)


def _late(plan: HealthPlan, output: bytes) -> str:
    text = f"Health check exceeded timeout ({_duration(plan.timeout)})"
    return f"{text}: {health.kept_output(output)}" if output else text


def _duration(nanoseconds: int) -> str:
    """As Go writes short ones: `1s`, `1.5s`, `250ms`, `1m30s`."""
    seconds = nanoseconds / clock.SECOND
    if seconds < 1:
        return f"{nanoseconds / 1_000_000:g}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}m{rest:g}s" if minutes else f"{rest:g}s"


async def _record(
    engine: Engine,
    container: Container,
    monitor: MonitorHandle,
    plan: HealthPlan,
    result: ProbeResult,
) -> None:
    """Take a result, unless the container was frozen or ended meanwhile."""
    async with container.lock:
        state, before = container.state, container.state.health
        if container.monitor is not monitor or state.status != "running" or before is None:
            return
        after = health.judged(plan, before, result, state.started_at or 0)
        record = with_state(container.record, health=after)
        if after.status == "healthy":
            record = msgspec.structs.replace(record, restarts_in_a_row=0)
        if after.status != before.status:
            told = happened(record, f"health_status: {after.status}")
            await engine.containers.update(container, record, told)
        elif after.failing_streak != before.failing_streak:
            await engine.containers.update(container, record)
        else:  # one more of the same is not worth a write: it is kept with the next change
            container.record = record
    if after.status == "unhealthy":
        _restart_if_wanted(engine, container, monitor)


def _restart_if_wanted(engine: Engine, container: Container, monitor: MonitorHandle) -> None:
    from wherry.engine.containers.lifecycle import stop_unhealthy

    if restarts.may_restart_unhealthy(container.record):
        engine.own(asyncio.create_task(stop_unhealthy(engine, container, monitor)))
