"""Events, the journal, the registry and the catalog over the ledger in memory."""

import asyncio

import msgspec
import pytest

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.engine.events import Event, EventBus, event
from wherry.engine.images.catalog import Catalog, NoSuchImage
from wherry.engine.journal import Journal
from wherry.engine.lanes import Lanes
from wherry.engine.records import ContainerRecord, ImageRecord
from wherry.engine.registry import Containers, NoSuchContainer
from wherry.kit.errors import Conflict, InvalidInput
from wherry.kit.ids import new_id
from wherry.oci import reference
from wherry.oci.digest import of_bytes
from wherry.testing.ledger import MemoryLedger


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


@pytest.fixture
def bus() -> EventBus:
    return EventBus()


@pytest.fixture
def journal(ledger: MemoryLedger, bus: EventBus) -> Journal:
    return Journal(ledger, Lanes(), bus)


def container(name: str, id: str = "") -> ContainerRecord:
    request = ContainerCreateRequest(image="x", cmd=["true"])
    digest = of_bytes(b"image")
    return ContainerRecord(id or new_id(), name, 0, request, request, digest, "x", digest, "linux")


def image(content: bytes) -> ImageRecord:
    return ImageRecord(of_bytes(content), of_bytes(b"m" + content), (), 1, 0)


async def test_a_container_is_found_by_name_id_and_prefix(journal: Journal) -> None:
    containers = Containers(journal)
    added = await containers.add(container("web"))
    for ref in ("web", "/web", added.id, added.id[:12]):
        assert containers.find(ref) is added
    with pytest.raises(NoSuchContainer, match="No such container: nope"):
        containers.find("nope")


async def test_an_ambiguous_prefix_is_refused(journal: Journal) -> None:
    containers = Containers(journal)
    await containers.add(container("one", "ab" + "0" * 62))
    await containers.add(container("two", "ab" + "1" * 62))
    with pytest.raises(InvalidInput, match="Multiple IDs"):
        containers.find("ab")


async def test_a_name_is_given_once(journal: Journal, ledger: MemoryLedger) -> None:
    containers = Containers(journal)
    first = await containers.add(container("web"))
    with pytest.raises(Conflict, match=f'already in use by container "{first.id}"'):
        await containers.add(container("web"))
    assert len(ledger.all("container")) == 1


async def test_a_rename_moves_the_name(journal: Journal) -> None:
    containers = Containers(journal)
    added = await containers.add(container("old"))
    await containers.rename(added, msgspec.structs.replace(added.record, name="new"))
    assert containers.find("new") is added
    with pytest.raises(NoSuchContainer):
        containers.find("old")
    await containers.add(container("old"))


async def test_a_forgotten_container_wakes_who_waits(journal: Journal) -> None:
    containers = Containers(journal)
    added = await containers.add(container("web"))
    waiting = asyncio.create_task(added.until(lambda: added.removed))
    await asyncio.sleep(0)
    await containers.forget(added)
    await asyncio.wait_for(waiting, 5)


async def test_events_are_told_once_and_in_order(journal: Journal, bus: EventBus) -> None:
    first = event("container", "create", "1")
    await journal.commit([], first)
    heard: list[str] = []

    async def replay() -> list[Event]:
        past = await journal.past(0)
        await journal.commit([], event("container", "start", "1"))  # while the past is read
        return past

    async def listen() -> None:
        async for happened in bus.listen(replay):
            heard.append(happened.action)
            if len(heard) == 3:
                return

    listening = asyncio.create_task(listen())
    while bus.listeners == 0 or len(heard) < 2:  # noqa: ASYNC110 - nothing of ours tells this
        await asyncio.sleep(0.01)
    await journal.commit([], event("container", "die", "1"))
    await asyncio.wait_for(listening, 5)
    assert heard == ["create", "start", "die"]


async def test_events_with_an_end_that_has_passed(bus: EventBus) -> None:
    async def replay() -> list[Event]:
        return []

    assert [happened async for happened in bus.listen(replay, until=1)] == []


async def test_tags_move_and_digests_stay(journal: Journal) -> None:
    catalog = Catalog(journal)
    tag = reference.parse("busybox").with_default_tag()
    old = await catalog.add(image(b"old"), tag, action="load")
    new = await catalog.add(image(b"new"), tag, action="load")
    assert catalog.find("busybox").image == new
    assert catalog.find(old.id).image == old
    assert catalog.tags_of(old.id) == []
    with pytest.raises(NoSuchImage, match="No such image: nope:latest"):
        catalog.find("nope")


async def test_what_is_known_of_an_image_is_joined(journal: Journal) -> None:
    catalog = Catalog(journal)
    made = image(b"x")
    await catalog.add(msgspec.structs.replace(made, repo_digests=("a@sha256:1",)), action="pull")
    again = await catalog.add(
        msgspec.structs.replace(made, repo_digests=("b@sha256:2",)), action="pull"
    )
    assert again.repo_digests == ("a@sha256:1", "b@sha256:2")
