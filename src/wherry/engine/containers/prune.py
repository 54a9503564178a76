"""POST /containers/prune: everything that has stopped."""

from wherry.dockerapi.container_answers import ContainersPruned
from wherry.dockerapi.filters import CONTAINERS_PRUNE, Filters
from wherry.dockerapi.moments import pruned_until
from wherry.engine.containers.inspect import sizes
from wherry.engine.containers.removal import remove
from wherry.engine.engine import Engine
from wherry.engine.events import event
from wherry.engine.records import ContainerRecord
from wherry.kit.errors import WherryError


async def prune(engine: Engine, filters: Filters, *, dry_run: bool = False) -> ContainersPruned:
    """Ids and bytes; `dry_run` only says which these would be. Raises InvalidInput (filters)."""
    filters.check(CONTAINERS_PRUNE)
    limit = pruned_until(filters)
    removed, freed = [], 0
    for container in engine.containers:
        record = container.record
        if record.state.status not in ("created", "exited", "dead"):
            continue
        if not _selected(record, filters, limit):
            continue
        try:
            size, _ = await sizes(engine, record)
            if not dry_run:
                await remove(engine, record.id)
        except WherryError:
            continue  # somebody started or removed it meanwhile
        removed.append(record.id)
        freed += size
    if not dry_run:
        told = event("container", "prune", "", {"reclaimed": str(freed)})
        await engine.journal.commit([], told)
    return ContainersPruned(tuple(removed) or None, freed)


def _selected(record: ContainerRecord, filters: Filters, limit: int | None) -> bool:
    labels = record.request.labels or {}
    unwanted = any(
        Filters({"label": (text,)}).labels("label", labels) for text in filters.get("label!")
    )
    young = limit is not None and record.created >= limit
    return filters.labels("label", labels) and not unwanted and not young
