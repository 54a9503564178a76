"""All images of the engine and the references that point at them."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from wherry.engine.events import Event, event
from wherry.engine.journal import Journal
from wherry.engine.records import ImageRecord, TagRecord
from wherry.kit import clock, failpoints
from wherry.kit.errors import InvalidInput, NotFound
from wherry.ledger.ledger import Change
from wherry.oci import reference as references
from wherry.oci.digest import Digest
from wherry.oci.reference import Reference


class NoSuchImage(NotFound):
    """Dockerd's text."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"No such image: {ref}")


class Found(NamedTuple):
    """An image and, where it was found by one, the reference."""

    image: ImageRecord
    reference: Reference | None


class Catalog:
    """The maps in memory, always equal to the ledger's documents."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._images: dict[Digest, ImageRecord] = {}
        self._tags: dict[str, TagRecord] = {}

    def load(self, images: list[ImageRecord], tags: list[tuple[str, TagRecord]]) -> None:
        """Take over what the ledger holds when the engine opens."""
        self._images = {image.id: image for image in images}
        self._tags = dict(tags)

    def __iter__(self) -> Iterator[ImageRecord]:
        return iter(list(self._images.values()))

    def tags_of(self, id: Digest) -> list[Reference]:
        """The references that point at an image, sorted."""
        return [
            references.parse(text)
            for text, record in sorted(self._tags.items())
            if record.image == id
        ]

    def find(self, text: str) -> Found:
        """By reference, id, unique prefix of an id, or `name@digest`. Raises NoSuchImage."""
        by_id = self._by_id(text.removeprefix("sha256:"))
        try:
            reference = references.parse(text).with_default_tag()
        except InvalidInput:
            if by_id is None:
                raise NoSuchImage(text) from None
            return Found(by_id, None)
        found = self._by_reference(reference)
        if found is not None:
            return Found(found, reference)
        if by_id is None:
            raise NoSuchImage(reference.familiar)
        return Found(by_id, None)

    def _by_reference(self, reference: Reference) -> ImageRecord | None:
        if reference.digest is not None:
            wanted = f"{reference.repository}@{reference.digest}"
            matching = (image for image in self if wanted in image.repo_digests)
            return next(matching, self._images.get(reference.digest))
        tag = self._tags.get(str(reference))
        return None if tag is None else self._images.get(tag.image)

    def _by_id(self, prefix: str) -> ImageRecord | None:
        if not prefix or set(prefix) - set("0123456789abcdef"):
            return None
        found = [image for id, image in self._images.items() if id[7:].startswith(prefix)]
        if len(found) > 1 and len(prefix) < 64:
            raise InvalidInput(f"Multiple IDs found with provided prefix: {prefix}")
        return found[0] if found else None

    def get(self, id: Digest) -> ImageRecord:
        """By full id. Raises NoSuchImage."""
        try:
            return self._images[id]
        except KeyError:
            raise NoSuchImage(id) from None

    def layer_size(self, name: Digest) -> int | None:
        """Bytes of the files in a layer, by chain id; None where no image has it."""
        for image in self._images.values():
            if name in image.chain and image.layer_sizes:
                return image.layer_sizes[image.chain.index(name)]
        return None

    def id_or_none(self, text: str) -> Digest | None:
        """The id of what a name means now, None where it means nothing."""
        try:
            return self.find(text).image.id
        except (NotFound, InvalidInput):
            return None

    def last_tagged(self, id: Digest) -> int | None:
        """When a reference was last pointed at the image, ns."""
        return max((tag.time for tag in self._tags.values() if tag.image == id), default=None)

    def size_of(self, id: Digest) -> int:
        """Bytes of an image's layers; 0 where the image is gone."""
        image = self._images.get(id)
        return image.size if image else 0

    async def add(self, image: ImageRecord, *tags: Reference, action: str) -> ImageRecord:
        """A new image, or new facts about a known one, and tags for it, in one transaction.

        What is known already stays: repository digests and provenance are joined.
        """
        known = self._images.get(image.id)
        merged = image if known is None else _joined(known, image)
        now = clock.now()
        moved = {str(tag): TagRecord(image.id, now) for tag in tags}
        changes: list[Change] = [merged.put(merged.id)]
        changes += [record.put(name) for name, record in moved.items()]
        failpoints.reach("image.before-ledger")
        await self._journal.commit(changes, *self._told(action, image.id, tags))
        self._images[merged.id] = merged
        self._tags.update(moved)
        return merged

    def _told(self, action: str, id: Digest, tags: tuple[Reference, ...]) -> list[Event]:
        """As dockerd: a pull is told of by its reference, a load by the id alone."""
        if action == "pull" and tags:
            return [
                event("image", action, tag.familiar, {"name": tag.familiar_repository})
                for tag in tags
            ]
        if action == "load" or not tags:
            return [event("image", action, id, {"name": id})]
        return [event("image", action, id, {"name": tag.familiar}) for tag in tags]

    async def tag(self, image: ImageRecord, reference: Reference) -> None:
        """Point a reference at an image."""
        record = TagRecord(image.id, clock.now())
        told = event("image", "tag", image.id, {"name": reference.familiar})
        await self._journal.commit([record.put(str(reference))], told)
        self._tags[str(reference)] = record

    async def untag(self, image: ImageRecord, reference: Reference) -> None:
        """Remove one reference: a tag, or a repository digest."""
        changes: list[Change] = []
        left = image
        if reference.digest is not None:
            gone = f"{reference.repository}@{reference.digest}"
            left = _without_digest(image, gone)
            changes.append(left.put(left.id))
        else:
            changes.append(TagRecord.drop(str(reference)))
        told = event("image", "untag", image.id, {"name": image.id})
        await self._journal.commit(changes, told)
        self._images[left.id] = left
        self._tags.pop(str(reference), None)

    async def know(self, image: ImageRecord, repo_digest: str) -> None:
        """A registry has the image under this digest."""
        digests = tuple(dict.fromkeys((*image.repo_digests, repo_digest)))
        known = msgspec.structs.replace(image, repo_digests=digests)
        await self._journal.commit([known.put(known.id)])
        self._images[known.id] = known

    async def forget(self, image: ImageRecord) -> None:
        """Remove an image's record; its tags must be gone."""
        told = event("image", "delete", image.id, {"name": image.id})
        await self._journal.commit([ImageRecord.drop(image.id)], told)
        self._images.pop(image.id, None)


def _joined(known: ImageRecord, new: ImageRecord) -> ImageRecord:
    return msgspec.structs.replace(
        known,
        repo_digests=tuple(dict.fromkeys((*known.repo_digests, *new.repo_digests))),
        provenance=tuple(dict.fromkeys((*known.provenance, *new.provenance))),
        manifest=new.manifest,
    )


def _without_digest(image: ImageRecord, gone: str) -> ImageRecord:
    left = tuple(each for each in image.repo_digests if each != gone)
    return msgspec.structs.replace(image, repo_digests=left)
