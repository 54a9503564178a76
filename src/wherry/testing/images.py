"""Real images from a few lines of Python."""

import io
import os
import stat
import tarfile
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from wherry.image.image import StoredImage
from wherry.oci import blobs, platform
from wherry.oci import config as configs
from wherry.oci import digest as digests
from wherry.oci import manifest as manifests
from wherry.oci.blobs import BlobStore
from wherry.oci.config import ImageConfig, ProcessConfig, RootFs
from wherry.oci.manifest import Descriptor, Manifest

BUSYBOX = "/bin/busybox"
"""Debian's busybox-static."""


class Entry(NamedTuple):
    """A member of a layer that is more than bytes with a mode guessed from the path."""

    data: bytes = b""
    mode: int = 0o644
    kind: bytes = tarfile.REGTYPE
    target: str = ""
    uid: int = 0
    gid: int = 0


def folder(mode: int = 0o755) -> Entry:
    """An empty folder."""
    return Entry(mode=mode, kind=tarfile.DIRTYPE)


def symlink(target: str) -> Entry:
    """A symbolic link."""
    return Entry(mode=0o777, kind=tarfile.SYMTYPE, target=target)


def hardlink(target: str) -> Entry:
    """A second name of an earlier member."""
    return Entry(kind=tarfile.LNKTYPE, target=target)


Files = Mapping[str, "bytes | str | Entry"]


def layer_tar(files: Files) -> bytes:
    """An uncompressed layer. Plain bytes and texts below a `bin` folder are executable."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, value in files.items():
            entry = value if isinstance(value, Entry) else _entry(name, value)
            info = tarfile.TarInfo(name.strip("/"))
            info.size, info.mode, info.type = len(entry.data), entry.mode, entry.kind
            info.linkname, info.uid, info.gid = entry.target, entry.uid, entry.gid
            archive.addfile(info, io.BytesIO(entry.data))
    return buffer.getvalue()


def image_from(
    store: BlobStore,
    *layers: Files,
    config: ProcessConfig | None = None,
    on: platform.Platform | None = None,
) -> StoredImage:
    """An image in the store: one uncompressed layer per dict, lowest first.

    `image_from(store, {"bin/x": b"…"}, config=ProcessConfig(cmd=["/bin/x"]))`
    """
    return image_of_layers(store, *(layer_tar(files) for files in layers), config=config, on=on)


def image_of_layers(
    store: BlobStore,
    *tars: bytes,
    config: ProcessConfig | None = None,
    on: platform.Platform | None = None,
) -> StoredImage:
    """The same from the bytes of uncompressed layers."""
    described = [Descriptor(manifests.OCI_LAYER, blobs.put(store, tar), len(tar)) for tar in tars]
    place = on or platform.host()
    value = ImageConfig(
        architecture=place.architecture,
        os=place.os,
        variant=place.variant,
        created="2024-05-06T07:08:09Z",
        config=config or ProcessConfig(),
        rootfs=RootFs("layers", tuple(entry.digest for entry in described)),
        history=tuple(configs.History(created_by=f"layer {n}") for n in range(len(tars))),
    )
    raw = configs.encode(value)
    root = Descriptor(manifests.OCI_CONFIG, blobs.put(store, raw), len(raw))
    manifest = Manifest(2, root, tuple(described), manifests.OCI_MANIFEST)
    data = msgspec.json.encode(manifest)
    return StoredImage(store, blobs.put(store, data))


def index_from(store: BlobStore, *images: StoredImage) -> digests.Digest:
    """An index over images, each with its own platform."""
    entries = tuple(msgspec.structs.replace(i.descriptor, platform=i.platform) for i in images)
    data = msgspec.json.encode(manifests.Index(2, entries, manifests.OCI_INDEX))
    return blobs.put(store, data)


def busybox_files(program: str = BUSYBOX) -> dict[str, bytes | str | Entry]:
    """A root file system of Debian's static busybox: its applets as links, the usual folders."""
    with open(program, "rb") as file:
        data = file.read()
    listing = os.popen(f"{program} --list-full").read().split()
    names = sorted(name for name in listing if name not in ("bin/busybox", "linuxrc"))
    files: dict[str, bytes | str | Entry] = {
        "bin": folder(),
        "bin/busybox": Entry(data, 0o755),
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
        "etc/group": "root:x:0:\nnogroup:x:65534:\n",
        "root": folder(0o700),
        "tmp": folder(0o1777),
    }
    files.update({name: symlink("/bin/busybox") for name in names})
    return files


def busybox_image(store: BlobStore) -> StoredImage:
    """An image that runs `sh` and the other applets."""
    environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    return image_from(store, busybox_files(), config=ProcessConfig(env=environment, cmd=["sh"]))


def _entry(name: str, value: bytes | str) -> Entry:
    data = value.encode() if isinstance(value, str) else value
    executable = "bin" in name.split("/")[:-1]
    return Entry(data, 0o644 | (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH if executable else 0))
