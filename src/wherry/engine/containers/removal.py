"""DELETE /containers/{id}: marked first, then everything of it removed, then forgotten.

A crash in between leaves a record marked `removing`, which the next start of the engine finishes.
"""

import contextlib
import signal as signals

from wherry.engine.containers import folders
from wherry.engine.containers import volumes as container_volumes
from wherry.engine.containers.attach import hang_up
from wherry.engine.containers.container import Container, with_state
from wherry.engine.containers.lifecycle import unpause
from wherry.engine.containers.signalling import send, until_gone
from wherry.engine.engine import Engine
from wherry.kit import failpoints
from wherry.kit.errors import Conflict


async def remove(engine: Engine, ref: str, force: bool = False, volumes: bool = False) -> None:
    """Remove a container. Raises Conflict where it runs and is not forced."""
    container = engine.containers.find(ref)
    if container.running or container.state.status == "restarting":
        if not force:
            _refuse_running(container)
        container.stopping = True
        await _kill_for_removal(engine, container)
    async with container.lock:
        if container.removed:
            return
        await _remove(engine, container, volumes)


def _refuse_running(container: Container) -> None:
    if container.state.status == "paused":
        raise Conflict(
            f"You cannot remove a paused container {container.id}. "
            "Unpause and then stop the container before attempting removal or force remove"
        )
    if container.state.status == "restarting":
        raise Conflict(
            f"You cannot remove a restarting container {container.id}. "
            "Stop the container before attempting removal or force remove"
        )
    raise Conflict(
        f"You cannot remove a running container {container.id}. "
        "Stop the container before attempting removal or force remove"
    )


async def _kill_for_removal(engine: Engine, container: Container) -> None:
    if container.state.status == "restarting":
        async with container.lock:
            record = with_state(container.record, status="exited")
            await engine.containers.update(container, record)
        return
    if container.state.status == "paused":
        with contextlib.suppress(Conflict):  # thawed meanwhile
            await unpause(engine, container.id)
    exits = container.exits
    await send(engine, container, signals.SIGKILL)
    await until_gone(container, exits)


async def finish(engine: Engine, container: Container) -> None:
    """Go on with a removal that a crash interrupted."""
    async with container.lock:
        await _remove(engine, container, False)


async def _remove(engine: Engine, container: Container, with_volumes: bool) -> None:
    await container.left()
    record = container.record
    hang_up(container)
    async with engine.networking.addresses.freeing(record, record.endpoints) as changes:
        if record.state.status != "removing" or changes:
            removing = with_state(record, status="removing")
            await engine.containers.update(container, removing, changes=changes)
    failpoints.reach("remove.after-mark")
    await engine.lanes.long(folders.remove, engine, container.id)
    if with_volumes:
        await engine.lanes.long(container_volumes.remove_anonymous, engine, record)
    failpoints.reach("remove.before-ledger")
    await engine.containers.forget(container)
