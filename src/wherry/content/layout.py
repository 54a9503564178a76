"""Where things lie below the content folder (image-spec, image-layout.md, and our own folders)."""

import hashlib
import os

from wherry.kit.files import read_optional, write_atomic
from wherry.oci import digest as digests
from wherry.oci.digest import Digest

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_INDEX = b'{"schemaVersion":2,"manifests":[]}'


def create(root: str) -> None:
    """Make the folders and the two files of an OCI layout, where they are missing."""
    for folder in ("blobs", "blobs/sha256", "ingest", "leases"):
        os.makedirs(f"{root}/{folder}", mode=0o700, exist_ok=True)
    for name, data in (("oci-layout", _LAYOUT), ("index.json", _INDEX)):
        if read_optional(f"{root}/{name}") is None:
            write_atomic(f"{root}/{name}", data)


def blob_path(root: str, digest: Digest) -> str:
    """The digest was checked when it was parsed, so it cannot lead out of the folder."""
    checked = digests.parse(digest)
    return f"{root}/blobs/{digests.algorithm_of(checked)}/{digests.hex_of(checked)}"


def ingest_path(root: str, ref: str) -> str:
    """Refs are free text, so the folder has the hash of it as its name."""
    return f"{root}/ingest/{hashlib.sha256(ref.encode()).hexdigest()}"
