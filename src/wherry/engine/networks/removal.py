"""DELETE /networks/{id}, and prune."""

from wherry.dockerapi.filters import NETWORKS_PRUNE, Filters
from wherry.dockerapi.moments import pruned_until
from wherry.dockerapi.networks import NetworksPruned
from wherry.engine.engine import Engine
from wherry.engine.events import event
from wherry.engine.networks.record import NetworkRecord, happened
from wherry.kit import failpoints
from wherry.kit.errors import NotFound, NotPermitted


async def remove(engine: Engine, ref: str) -> None:
    """Remove a network. Raises NotFound, NotPermitted (built in, or somebody is in it)."""
    async with engine.networking.addresses.unchanged():
        record = engine.networking.book.find(ref)
        network = record.network
        if record.builtin:
            raise NotPermitted(f"{network.name} is a pre-defined network and cannot be removed")
        if in_use(engine, record):
            raise NotPermitted(
                f"error while removing network: network {network.name} id {network.id} has "
                "active endpoints"
            )
        await _remove(engine, record)


def in_use(engine: Engine, record: NetworkRecord) -> bool:
    """Whether a container has an endpoint there; one that does not run has none."""
    return any(
        place.network_id == record.network.id and place.endpoint_id
        for container in engine.containers
        for place in container.record.endpoints
    )


async def _remove(engine: Engine, record: NetworkRecord) -> None:
    """The kernel first: a network without its bridge gets it again when it is used."""
    await engine.networking.dismantle(record.network)
    failpoints.reach("network-remove.before-ledger")
    await engine.networking.book.forget(record, happened(record, "destroy"))


async def prune(engine: Engine, filters: Filters, *, dry_run: bool = False) -> NetworksPruned:
    """Remove what nobody is in; `dry_run` only says what that is. Raises InvalidInput (filters)."""
    filters.check(NETWORKS_PRUNE)
    limit = pruned_until(filters)
    removed = []
    for record in engine.networking.book.all():
        if record.builtin or in_use(engine, record) or not _selected(record, filters, limit):
            continue
        try:
            if not dry_run:
                await remove(engine, record.network.id)
        except (NotFound, NotPermitted):
            continue  # somebody removed it, or came in, meanwhile
        removed.append(record.network.name)
    if not dry_run:
        await engine.journal.commit([], event("network", "prune", "", {"reclaimed": "0"}))
    return NetworksPruned(tuple(removed) or None)


def _selected(record: NetworkRecord, filters: Filters, limit: int | None) -> bool:
    labels = record.asked.labels or {}
    unwanted = any(
        Filters({"label": (text,)}).labels("label", labels) for text in filters.get("label!")
    )
    young = limit is not None and record.created >= limit
    return filters.labels("label", labels) and not unwanted and not young
