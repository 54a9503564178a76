"""`docker load` and `docker save`: images in and out of tar archives."""

from wherry.image import load_docker, load_oci
from wherry.image.errors import BadArchive
from wherry.image.loaded import LoadedImage
from wherry.image.save import Saved, save
from wherry.image.shelf import Progress, Shelf, Watch
from wherry.oci.blobs import BlobStore
from wherry.oci.compression import Readable

__all__ = ["LoadedImage", "Saved", "load", "save"]


def load(
    stream: Readable,
    store: BlobStore,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> list[LoadedImage]:
    """Take all images out of an archive: docker-archive (new and very old form) or OCI layout.

    The stream is read once and never sought; it may be compressed (gzip, zstd, bzip2, xz). Memory
    stays below about 40 MB. Blobs become visible one by one as they come, so give a leased store
    where a collector may run, and collect after a failure.

    `watch` is told of large members while they come, and may know what they unpack to.

    Raises BadArchive, LyingArchive (digests that do not match), StorageFull of the store.
    """
    shelf = Shelf(store, progress, watch)
    shelf.fill(stream)
    if "index.json" in shelf and "oci-layout" in shelf:
        loaded = load_oci.load(shelf)
        if loaded or "manifest.json" not in shelf:
            return loaded
    if "manifest.json" in shelf:
        return load_docker.load(shelf)
    if "repositories" in shelf:
        return load_docker.load_old(shelf)
    raise BadArchive(
        "not an image archive: it has neither manifest.json, nor index.json with oci-layout, "
        "nor repositories (a plain root file system is taken by import)"
    )
