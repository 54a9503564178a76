"""Write a docker-archive that is an OCI layout too: blobs once, two tables of contents.

Docker since 1.10, podman, skopeo, containerd and every reader of OCI layouts find their own.
"""

import posixpath
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from wherry.image.image import StoredImage
from wherry.image.inflate import Inflated
from wherry.image.layers import CHUNK
from wherry.image.load_oci import FULL_NAME, REF_NAME
from wherry.oci import digest as digests
from wherry.oci import manifest as manifests
from wherry.oci import reference
from wherry.oci.blobs import BlobStore
from wherry.oci.digest import Digest
from wherry.oci.manifest import Descriptor, Index

_LAYOUT: Final = b'{"imageLayoutVersion":"1.0.0"}'
_RECORD: Final = 10240
"""tar's customary record: archives are filled up to a multiple of it."""


class Writable(Protocol):
    """Anything with a file's `write`; it need not seek."""

    def write(self, data: bytes, /) -> object:
        """Take all of the data."""
        ...


class Saved(NamedTuple):
    """An image to save, with the names it shall have in the archive (tags, familiar or full)."""

    image: StoredImage
    names: tuple[str, ...] = ()


class _Item(msgspec.Struct, frozen=True, rename="pascal"):
    config: str
    repo_tags: tuple[str, ...] | None
    layers: tuple[str, ...]


def save(images: Sequence[Saved], stream: Writable) -> None:
    """Write all images into one archive. Blobs they share are written once.

    Raises NotFound where a blob is missing, Corrupt.
    """
    archive = _Archive(stream)
    for folder in ("blobs", "blobs/sha256"):
        archive.folder(folder)
    items = [_save_image(archive, saved) for saved in images]
    archive.file("index.json", msgspec.json.encode(_index(images)))
    archive.file("manifest.json", msgspec.json.encode(items))
    archive.file("oci-layout", _LAYOUT)
    repositories = _repositories(images)
    if repositories:
        archive.file("repositories", msgspec.json.encode(repositories))
    archive.end()


def _save_image(archive: "_Archive", saved: Saved) -> _Item:
    image = saved.image
    archive.blob(image.store, image.digest)
    archive.blob(image.store, image.id)
    layers = tuple(
        _save_layer(archive, image.store, layer, diff_id)
        for layer, diff_id in zip(image.layers, image.config.rootfs.diff_ids, strict=True)
    )
    tags = tuple(reference.parse(name).familiar for name in saved.names)
    return _Item(_member(image.id), tags or None, layers)


def _save_layer(archive: "_Archive", store: BlobStore, layer: Descriptor, diff_id: Digest) -> str:
    """Docker 20.10 cannot read zstd in an archive: for it the plain tar is added."""
    archive.blob(store, layer.digest)
    if layer.media_type != manifests.OCI_LAYER_ZSTD:
        return _member(layer.digest)
    archive.inflated(store, layer.digest, diff_id)
    return _member(diff_id)


def _index(images: Sequence[Saved]) -> Index:
    return Index(2, tuple(_entries(images)), manifests.OCI_INDEX)


def _entries(images: Iterable[Saved]) -> Iterator[Descriptor]:
    for saved in images:
        entry = msgspec.structs.replace(saved.image.descriptor, platform=saved.image.platform)
        if not saved.names:
            yield entry
        for name in saved.names:
            ref = reference.parse(name)
            notes = {FULL_NAME: str(ref), REF_NAME: ref.tag or ""}
            yield msgspec.structs.replace(entry, annotations=notes)


def _repositories(images: Iterable[Saved]) -> dict[str, dict[str, str]]:
    """Name → tag → top layer, as docker has kept on writing it for old readers."""
    table: dict[str, dict[str, str]] = {}
    for saved in images:
        top = digests.hex_of(saved.image.layers[-1].digest) if saved.image.layers else ""
        for name in saved.names:
            ref = reference.parse(name)
            if top and ref.tag:
                table.setdefault(ref.familiar_repository, {})[ref.tag] = top
    return table


def _member(digest: Digest) -> str:
    return f"blobs/{digests.algorithm_of(digest)}/{digests.hex_of(digest)}"


class _Archive:
    """A tar being written; each name once. Times are 0, so equal images give equal bytes."""

    def __init__(self, stream: Writable) -> None:
        self._stream = stream
        self._names: set[str] = set()
        self._length = 0

    def folder(self, name: str) -> None:
        self._header(name, tarfile.DIRTYPE, 0, 0o755)

    def file(self, name: str, data: bytes) -> None:
        self._header(name, tarfile.REGTYPE, len(data), 0o644)
        self._write(data)
        self._pad()

    def blob(self, store: BlobStore, digest: Digest) -> None:
        name = _member(digest)
        if self._new(name):
            self._header(name, tarfile.REGTYPE, store.stat(digest), 0o644)
            with store.open(digest) as file:
                while data := file.read(CHUNK):
                    self._write(data)
            self._pad()

    def inflated(self, store: BlobStore, digest: Digest, diff_id: Digest) -> None:
        """The plain form of a compressed blob, read twice: its size must be known first."""
        name = _member(diff_id)
        if self._new(name):
            self._header(name, tarfile.REGTYPE, sum(map(len, _plain(store, digest))), 0o644)
            for data in _plain(store, digest):
                self._write(data)
            self._pad()

    def end(self) -> None:
        self._write(bytes(2 * tarfile.BLOCKSIZE))
        self._write(bytes(-self._length % _RECORD))

    def _new(self, name: str) -> bool:
        if name in self._names:
            return False
        self._names.add(name)
        folder = posixpath.dirname(name)
        if folder != "blobs/sha256" and folder not in self._names:
            self._names.add(folder)
            self.folder(folder)
        return True

    def _header(self, name: str, kind: bytes, size: int, mode: int) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.size, info.mode = kind, size, mode
        self._write(info.tobuf(tarfile.PAX_FORMAT))

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self._length += len(data)

    def _pad(self) -> None:
        self._write(bytes(-self._length % tarfile.BLOCKSIZE))


def _plain(store: BlobStore, digest: Digest) -> Iterator[bytes]:
    with store.open(digest) as file:
        stream = Inflated(file)
        while data := stream.read(CHUNK):
            yield data
