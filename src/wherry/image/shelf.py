"""The members of an image archive, taken off the stream once and found by name afterwards.

Large members go straight into the blob store, hashed on the way: an uncompressed layer is written
once and its digest is its diff id. Small ones stay in memory within a budget. What nobody claims in
the end is garbage for the collector, as is everything where the archive turns out to be bad.
"""

import posixpath
import re
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

import msgspec

from wherry.image.errors import BadArchive, LyingArchive
from wherry.image.inflate import Inflated
from wherry.image.layers import diff_id_of
from wherry.image.tarstream import Member, members
from wherry.kit.errors import Corrupt
from wherry.kit.ids import new_id
from wherry.oci import blobs
from wherry.oci import digest as digests
from wherry.oci.blobs import BlobStore, Ingest
from wherry.oci.compression import Readable
from wherry.oci.digest import Digest

SMALL: Final = 256 << 10
MEMORY: Final = 32 << 20
MAX_MEMBERS: Final = 100_000
MAX_LINKS: Final = 16
CHUNK: Final = 1 << 20
_BLOB = re.compile(r"blobs/(sha256|sha512)/([0-9a-f]+)")
_LAYER = re.compile(r"([0-9a-f]{64})\.tar")
_ABSENT: Final = "has no member"

Progress = Callable[[str, int, int], None]
"""Called with a member's name, the bytes read so far and its size."""
Value = TypeVar("Value")


class Arrival(Protocol):
    """Someone who looks at a large member while it is still coming."""

    def grown(self, size: int) -> None:
        """So many bytes are in the file."""

    def complete(self, size: int) -> None:
        """These are all; their digest is not checked yet."""

    def checked(self, digest: Digest) -> None:
        """It is this blob of the store now."""

    def close(self) -> None:
        """No more will come."""


class Watch(Protocol):
    """Whom to tell of large members, and to ask about them."""

    def watch(self, data: int, head: bytes, named: Digest | None) -> Arrival | None:
        """A member that begins with `head` comes into the file `data`; None: no interest.

        named: the digest that its name says, not yet checked.
        """

    def diff_id(self, blob: Digest) -> Digest | None:
        """The digest of a blob's plain bytes, where it is known by now."""


class Shelf:
    """What an archive held."""

    def __init__(
        self, store: BlobStore, progress: Progress | None = None, watch: Watch | None = None
    ) -> None:
        """Nothing is on it yet, see `fill`."""
        self.store = store
        self._watch = watch
        self._progress = progress
        self._small: dict[str, bytes] = {}
        self._large: dict[str, Digest] = {}
        self._links: dict[str, str] = {}
        self._room = MEMORY

    def fill(self, stream: Readable) -> None:
        """Take everything off the stream. Raises BadArchive, LyingArchive."""
        try:
            for count, member in enumerate(members(Inflated(stream))):
                if count >= MAX_MEMBERS:
                    raise BadArchive(f"archive has more than {MAX_MEMBERS} members")
                self._take(member)
        except BadArchive:
            raise
        except Corrupt as error:
            raise LyingArchive(f"image archive: {error}") from error

    def __contains__(self, name: str) -> bool:
        try:
            self._locate(name)
        except BadArchive:
            return False
        return True

    def read(self, name: str, limit: int) -> bytes:
        """A member whole. Raises BadArchive where it is absent or has more than `limit` bytes."""
        found = self._locate(name)
        if found in self._large:
            try:
                return blobs.read(self.store, self._large[found], limit)
            except Corrupt as error:
                raise BadArchive(f"member {name!r} is too large: {error}") from error
        return self._small[found]

    def decode(self, name: str, kind: type[Value]) -> Value:
        """A JSON member as a value. Raises BadArchive."""
        try:
            return msgspec.json.decode(self.read(name, MEMORY), type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadArchive(f"image archive: broken {name}: {error}") from error

    def claim(self, name: str, expected: Digest | None = None) -> Digest:
        """Have a member in the store. Raises BadArchive, LyingArchive."""
        found = self._locate(name)
        digest = self._large.get(found)
        if digest is None:
            digest = _put(self.store, name, self._small[found], expected)
        if expected is not None and digest != expected:
            raise LyingArchive(f"member {name!r}: expected digest {expected}, got {digest}")
        return digest

    def folders(self) -> set[str]:
        """The first parts of all names that have several."""
        names = [*self._small, *self._large, *self._links]
        return {name.partition("/")[0] for name in names if "/" in name}

    def _take(self, member: Member) -> None:
        name = inside(member.name)
        if member.kind == "folder":
            return
        for shelf in (self._small, self._large, self._links):
            shelf.pop(name, None)  # the last one of a name counts, as if it had been unpacked
        if member.kind == "file":
            self._take_file(name, member)
        elif member.kind == "symlink":
            self._links[name] = inside(member.target, posixpath.dirname(name))
        elif member.kind == "hardlink":
            self._links[name] = inside(member.target)
        else:
            raise BadArchive(f"image archive: {member.name!r} is a {member.kind}")

    def _take_file(self, name: str, member: Member) -> None:
        if member.size <= min(SMALL, self._room):
            self._room -= member.size
            self._small[name] = b"".join(iter(lambda: member.read(CHUNK), b""))
            return
        blob = _BLOB.fullmatch(name)
        expected = digests.parse(f"{blob[1]}:{blob[2]}") if blob else None
        self._large[name] = self._store(name, member, expected)

    def _store(self, name: str, member: Member, expected: Digest | None) -> Digest:
        ref = f"load-{new_id()}"
        with self.store.writer(ref, expected=expected, size=member.size) as ingest:
            arrival = None
            try:
                while data := member.read(CHUNK):
                    ingest.write(data)
                    if self._watch and ingest.offset == len(data):
                        named = expected or _named(name)
                        arrival = self._watch.watch(ingest.fileno(), data[:1], named)
                    if arrival:
                        arrival.grown(ingest.offset)
                    if self._progress:
                        self._progress(name, ingest.offset, member.size)
                return _committed(ingest, arrival)
            except BaseException:
                ingest.abort()
                raise
            finally:
                if arrival:
                    arrival.close()

    def diff_id(self, digest: Digest) -> Digest:
        """Of a blob in the store, compressed or not. Raises Corrupt."""
        known = self._watch.diff_id(digest) if self._watch else None
        return known or diff_id_of(self.store, digest)

    def _locate(self, name: str) -> str:
        """The member behind a name, through links of the archive."""
        found = inside(name)
        for _ in range(MAX_LINKS):
            if found in self._small or found in self._large:
                return found
            if found not in self._links:
                raise BadArchive(f"image archive {_ABSENT} {name!r}")
            found = self._links[found]
        raise BadArchive(f"image archive: too many links behind {name!r}")


def _named(name: str) -> Digest | None:
    """podman and skopeo call a layer after its digest."""
    found = _LAYER.fullmatch(name)
    return Digest(f"sha256:{found[1]}") if found else None


def _committed(ingest: Ingest, arrival: Arrival | None) -> Digest:
    if arrival:
        arrival.complete(ingest.offset)
    digest = ingest.commit()
    if arrival:
        arrival.checked(digest)
    return digest


def inside(name: str, folder: str = "") -> str:
    """The clean form of a member's name. Raises BadArchive where it leads out of the archive."""
    clean = posixpath.normpath(posixpath.join(folder, name))
    climbs = ".." in name.split("/") and not folder
    if name.startswith("/") or climbs or clean == ".." or clean.startswith("../"):
        raise BadArchive(f"image archive: {name!r} leads out of the archive")
    return clean


def _put(store: BlobStore, name: str, data: bytes, expected: Digest | None) -> Digest:
    try:
        return blobs.put(store, data, expected)
    except Corrupt as error:
        raise LyingArchive(f"member {name!r}: {error}") from error
