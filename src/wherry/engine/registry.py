"""All containers of the engine, found by id, by name, or by the beginning of an id."""

from collections.abc import Iterator, Sequence

from wherry.engine.containers.container import Container
from wherry.engine.events import Event, event
from wherry.engine.journal import Journal
from wherry.engine.records import ContainerRecord, NameRecord
from wherry.kit.errors import Conflict, InvalidInput, NotFound
from wherry.ledger.ledger import AlreadyClaimed, Change


class NoSuchContainer(NotFound):
    """Dockerd's text."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"No such container: {ref}")


class Containers:
    """The map in memory, always equal to the ledger's documents."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._by_id: dict[str, Container] = {}
        self._names: dict[str, str] = {}

    def load(self, records: list[ContainerRecord]) -> None:
        """Take over what the ledger holds when the engine opens."""
        for record in records:
            self._by_id[record.id] = Container(record)
            self._names[record.name] = record.id

    def __iter__(self) -> Iterator[Container]:
        return iter(list(self._by_id.values()))

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def find(self, ref: str) -> Container:
        """By full id, then name, then unique prefix. Raises NoSuchContainer, InvalidInput."""
        if not ref:
            raise InvalidInput("no container name or id given")
        id = ref if ref in self._by_id else self._names.get(ref.removeprefix("/"))
        if id is not None:
            return self._by_id[id]
        found = [container for id, container in self._by_id.items() if id.startswith(ref)]
        if len(found) > 1:
            raise InvalidInput(f"Multiple IDs found with provided prefix: {ref}")
        if not found:
            raise NoSuchContainer(ref)
        return found[0]

    async def add(self, record: ContainerRecord, *changes: Change) -> Container:
        """A new container with its create event. Raises Conflict where the name is taken."""
        claims: list[Change] = [
            NameRecord(record.id).claim(record.name),
            record.claim(record.id),
            *changes,
        ]
        try:
            await self._journal.commit(claims, happened(record, "create"))
        except AlreadyClaimed as error:
            raise self._taken(record.name) from error
        container = Container(record)
        self._by_id[record.id] = container
        self._names[record.name] = record.id
        return container

    async def update(
        self,
        container: Container,
        record: ContainerRecord,
        *events: Event,
        changes: Sequence[Change] = (),
    ) -> None:
        """A changed record and what changes with it, with what happened."""
        await self._journal.commit([record.put(record.id), *changes], *events)
        await container.become(record)

    async def rename(self, container: Container, record: ContainerRecord) -> None:
        """The record under its new name. Raises Conflict where that is taken."""
        old = container.record.name
        changes: list[Change] = [
            NameRecord.drop(old),
            NameRecord(record.id).claim(record.name),
            record.put(record.id),
        ]
        try:
            await self._journal.commit(changes, happened(record, "rename", oldName=f"/{old}"))
        except AlreadyClaimed as error:
            raise Conflict(f"Error when allocating new name: {self._taken(record.name)}") from error
        del self._names[old]
        self._names[record.name] = record.id
        await container.become(record)

    async def forget(self, container: Container) -> None:
        """Remove the record and its name, with the destroy event."""
        record = container.record
        changes: list[Change] = [ContainerRecord.drop(record.id), NameRecord.drop(record.name)]
        await self._journal.commit(changes, happened(record, "destroy"))
        del self._by_id[record.id]
        self._names.pop(record.name, None)
        container.removed = True
        await container.notify()

    def _taken(self, name: str) -> Conflict:
        owner = self._names.get(name, "")
        return Conflict(
            f'Conflict. The container name "/{name}" is already in use by container "{owner}". '
            "You have to remove (or rename) that container to be able to reuse that name."
        )


def happened(record: ContainerRecord, action: str, **attributes: str) -> Event:
    """A container's event with the attributes dockerd gives: labels, image, name."""
    labels = record.request.labels or {}
    known = {**labels, "image": record.image_reference, "name": record.name, **attributes}
    return event("container", action, record.id, known)
