"""POST /networks/{id}/connect and …/disconnect: containers that run, and those that do not.

For one that runs the ledger first says that its place is changing, then the kernel is changed, then
the ledger says what came of it. What a crash leaves in between is taken back by `undo`.
"""

import contextlib
from collections.abc import Iterator

import msgspec

from wherry.dockerapi.endpoints import EndpointSettings
from wherry.engine import egress
from wherry.engine.containers import etc_files
from wherry.engine.containers.container import Container
from wherry.engine.engine import Engine
from wherry.engine.networks import places, sandboxes
from wherry.engine.networks.moving import rerouted
from wherry.engine.networks.record import NetworkRecord, happened
from wherry.engine.records import ContainerRecord, EndpointRecord
from wherry.kit import failpoints
from wherry.kit.errors import Conflict, InvalidInput, NotFound
from wherry.network.driver import Sandbox


async def connect(
    engine: Engine, ref: str, container_ref: str, settings: EndpointSettings | None
) -> None:
    """Put a container into one more network.

    Raises NotFound, InvalidInput, NotPermitted (it is there already, the address is taken).
    """
    container = engine.containers.find(container_ref)
    async with container.lock:
        network = engine.networking.book.find(ref)
        _refuse_removed(container)
        asked = places.with_own_mac(container.record, network, settings or EndpointSettings())
        places.check_new(container.record, network, engine.networking.book.known)
        places.check(network, asked)
        egress.check(container.record.request, [network.network])
        place = msgspec.structs.replace(
            places.place_in(network, asked),
            interface=places.free_link(container.record.endpoints),
            named=True,
        )
        if container.running:
            await _plug(engine, container, network, place)
        else:
            await engine.containers.update(container, with_place(container.record, place))


def _refuse_removed(container: Container) -> None:
    if container.removed or container.state.status in ("removing", "dead"):
        raise Conflict(f"container {container.id} is marked for removal")


def with_place(record: ContainerRecord, place: EndpointRecord) -> ContainerRecord:
    """The record with this place, in its old one's stead where it has one."""
    others = without(record, place).endpoints
    return msgspec.structs.replace(record, endpoints=(*others, place))


def without(record: ContainerRecord, place: EndpointRecord) -> ContainerRecord:
    """The record without its place in that network."""
    left = tuple(each for each in record.endpoints if each.network_id != place.network_id)
    return msgspec.structs.replace(record, endpoints=left)


async def _plug(
    engine: Engine, container: Container, network: NetworkRecord, place: EndpointRecord
) -> None:
    record = container.record
    async with engine.networking.addresses.taking(record, [place]) as taken:
        changing = msgspec.structs.replace(
            taken.places[0], changing=True, default_route=False, default_route6=False
        )
        begun = with_place(record, changing)
        await engine.containers.update(container, begun, changes=taken.changes)
    failpoints.reach("connect.before-join")
    try:
        with sandboxes.opened(container) as sandbox:
            await engine.networking.join(begun, [changing], sandbox)
            failpoints.reach("connect.after-join")
            joined = with_place(record, msgspec.structs.replace(changing, changing=False))
            moved = await rerouted(engine.networking, joined, sandbox)
            await engine.networking.names.joined(moved, moved.endpoints, sandbox)
        etc_files.follow(engine, moved, record.endpoints, moved.endpoints)
    except BaseException:
        await undo(engine, container, changing)
        raise
    await engine.containers.update(container, moved, happened(network, "connect", record.id))


async def disconnect(engine: Engine, ref: str, container_ref: str, *, force: bool) -> None:
    """Take a container out of a network, also out of one that is gone where it does not run.

    Whatever has an endpoint here is a container of ours, so `force` finds nothing more.

    Raises NotFound, InvalidInput.
    """
    try:
        container = engine.containers.find(container_ref)
    except NotFound as error:
        if not force:
            raise
        engine.networking.book.find(ref)
        raise NotFound(f"endpoint {container_ref} not found") from error
    async with container.lock:
        if not container.running:
            await _forget(engine, container, ref)
            return
        network = _network(engine, container, ref, force=force)
        place = _place(container.record, network)
        if network.network.driver == "host":
            raise InvalidInput(
                "container cannot be disconnected from host network or connected to host network"
            )
        await _unplug(engine, container, place)
        await _take_out(engine, container, place)


def _network(engine: Engine, container: Container, ref: str, *, force: bool) -> NetworkRecord:
    """The network; forced, one that is gone is one that the container is not in."""
    try:
        return engine.networking.book.find(ref)
    except NotFound as error:
        if force:
            raise _not_connected(container, ref) from error
        raise


async def _forget(engine: Engine, container: Container, ref: str) -> None:
    """A container that does not run: its place is known by name, whether the network is or not."""
    _refuse_removed(container)
    known = engine.networking.book.known_as(ref)
    wanted = {known.network.id} if known else {ref}
    for place in container.record.endpoints:
        if place.network_id in wanted or (known is None and place.network == ref):
            await _take_out(engine, container, place)
            return
    raise _not_connected(container, known.network.name if known else ref)


def _not_connected(container: Container, network: str) -> InvalidInput:
    return InvalidInput(f"container {container.id} is not connected to the network {network}")


async def _take_out(engine: Engine, container: Container, place: EndpointRecord) -> None:
    """Out of the record, its addresses free; the event names a network that is still there."""
    network = engine.networking.book.known(place.network_id)
    gone = [happened(network, "disconnect", container.id)] if network else []
    async with engine.networking.addresses.freeing(container.record, [place]) as changes:
        left = without(container.record, place)
        await engine.containers.update(container, left, *gone, changes=changes)


def _place(record: ContainerRecord, network: NetworkRecord) -> EndpointRecord:
    for place in record.endpoints:
        if place.network_id == network.network.id:
            return place
    raise InvalidInput(f"container {record.id} is not connected to network {network.network.name}")


async def _unplug(engine: Engine, container: Container, place: EndpointRecord) -> None:
    record = container.record
    changing = msgspec.structs.replace(place, changing=True)
    await engine.containers.update(container, with_place(record, changing))
    failpoints.reach("disconnect.before-leave")
    with sandboxes.opened(container) as sandbox:
        await _leave(engine, container, place, sandbox)


async def _leave(
    engine: Engine, container: Container, place: EndpointRecord, sandbox: Sandbox
) -> None:
    """Out of the kernel, the files and the names; the record keeps what the others became."""
    record, networking = container.record, engine.networking
    await networking.leave(record, [place], sandbox)
    await networking.names.left(record, [place])
    left = await rerouted(networking, without(record, place), sandbox)
    await networking.names.joined(left, left.endpoints, sandbox)
    etc_files.follow(engine, left, record.endpoints, left.endpoints)
    kept = with_place(left, msgspec.structs.replace(place, changing=True))
    await engine.containers.update(container, kept)


async def undo(engine: Engine, container: Container, place: EndpointRecord) -> None:
    """A change of a running container's place that was not finished: it is out of the network."""
    with _ignored_end(), sandboxes.opened(container) as sandbox:
        await _leave(engine, container, place, sandbox)
    record = container.record
    await engine.networking.leave(record, [place])
    async with engine.networking.addresses.freeing(record, [place]) as changes:
        await engine.containers.update(container, without(record, place), changes=changes)


@contextlib.contextmanager
def _ignored_end() -> Iterator[None]:
    """A container that has ended meanwhile has lost its links with its namespace."""
    try:
        yield
    except sandboxes.HasEnded:
        return
