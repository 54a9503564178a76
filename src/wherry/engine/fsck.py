"""Whether ledger, content, snapshots, folders and mounts agree; what does not is a finding.

Work that is going on looks inconsistent for a moment, so only what two looks find is told.
"""

import asyncio
import os
from collections.abc import Iterable, Iterator

import msgspec

from wherry.dockerapi.names import go_name
from wherry.engine import storage
from wherry.engine.collection import collect_blobs, unused
from wherry.engine.containers import volumes as container_volumes
from wherry.engine.containers.folders import remove as remove_folders
from wherry.engine.engine import Engine
from wherry.engine.images.config import stored
from wherry.engine.records import ImageRecord
from wherry.kit.errors import NotFound, WherryError
from wherry.linux import mountinfo
from wherry.oci.manifest import Descriptor
from wherry.volume.mounted import unmount

PAUSE = 0.5
"""Seconds between the two looks."""


class Finding(msgspec.Struct, frozen=True, rename=go_name):
    """One thing that does not fit."""

    kind: str
    """`image`, `snapshot`, `container`, `folder`, `mount`."""
    name: str
    problem: str
    repaired: bool = False


class Report(msgspec.Struct, frozen=True, rename=go_name):
    """The answer to /wherry/fsck."""

    findings: tuple[Finding, ...] = ()


async def check(engine: Engine, *, repair: bool = False) -> tuple[Finding, ...]:
    """All findings. With `repair` what is only garbage is removed, and marked so."""
    first = await engine.lanes.long(_look, engine)
    if not first:
        return ()
    await asyncio.sleep(PAUSE)
    again = set(await engine.lanes.long(_look, engine))
    findings = [each for each in first if each in again]
    if not repair:
        return tuple(findings)
    repaired = [await engine.lanes.long(_repaired, engine, each) for each in findings]
    await collect_blobs(engine)
    return tuple(repaired)


def _look(engine: Engine) -> list[Finding]:
    return [
        *_images(engine),
        *_snapshots(engine),
        *_containers(engine),
        *_folders(engine),
        *_mounts(engine),
    ]


def _images(engine: Engine) -> Iterator[Finding]:
    for image in engine.catalog:
        for blob in _blobs(engine, image):
            yield from _blob(engine, image, blob)
        for name in image.chain:
            if not storage.exists(engine.snapshots, name):
                yield Finding("image", image.id, f"its layer {name} is not unpacked")


def _blobs(engine: Engine, image: ImageRecord) -> Iterable[Descriptor]:
    """What the manifest names; where that is missing, itself."""
    try:
        manifest = stored(engine, image).manifest
    except WherryError:
        return (Descriptor("", image.manifest, -1),)
    return (manifest.config, *manifest.layers)


def _blob(engine: Engine, image: ImageRecord, blob: Descriptor) -> Iterator[Finding]:
    try:
        size = engine.blobs.stat(blob.digest)
    except NotFound:
        yield Finding("image", image.id, f"its blob {blob.digest} is missing: pull it again")
        return
    if size != blob.size:
        yield Finding("image", image.id, f"its blob {blob.digest} has {size} bytes: pull it again")


def _snapshots(engine: Engine) -> Iterator[Finding]:
    """Snapshots that nothing stands on or names."""
    for name in sorted(unused(engine)):
        yield Finding("snapshot", name, "nothing uses it")


def _containers(engine: Engine) -> Iterator[Finding]:
    for container in engine.containers:
        if not storage.exists(engine.snapshots, container.id):
            yield Finding("container", container.id, "its file system is missing: remove it")
        if not os.path.isdir(engine.settings.folders.bundle(container.id)):
            yield Finding("container", container.id, "its folder is missing: remove it")
        exec_dir = engine.settings.folders.exec_dir(container.id)
        if container.running and not os.path.isdir(exec_dir):
            yield Finding("container", container.id, f"it runs without {exec_dir}")
        for point in container.record.mounts:
            if point.type == "volume" and not os.path.isdir(point.source):
                yield Finding("container", container.id, f"its volume {point.name} is missing")


def _folders(engine: Engine) -> Iterator[Finding]:
    folders = engine.settings.folders
    known = {container.id for container in engine.containers}
    short = {os.path.basename(folders.exec_dir(id)) for id in known}
    for base, names in (
        (os.path.dirname(folders.bundle("x")), known),
        (os.path.dirname(folders.exec_dir("x")), short),
    ):
        for name in sorted(os.listdir(base)) if os.path.isdir(base) else ():
            if name not in names:
                yield Finding("folder", os.path.join(base, name), "it is of no container")


def _mounts(engine: Engine) -> Iterator[Finding]:
    """Mounts of volumes, and of subpaths, that no running container has."""
    folders = engine.settings.folders
    used = set[str]()
    for container in engine.containers:
        if container.running:
            used |= {point.source for point in container.record.mounts}
            used |= set(container_volumes.subpath_folders(engine, container.id))
    below = (f"{folders.volumes}/", f"{os.path.dirname(folders.bundle('x'))}/")
    for point in mountinfo.read():
        ours = point.target.startswith(below) and not point.target.endswith("/rootfs")
        if ours and point.target not in used:
            yield Finding("mount", point.target, "no running container has it")


def _repaired(engine: Engine, finding: Finding) -> Finding:
    """Remove garbage; what is missing cannot be made here."""
    try:
        if finding.kind == "snapshot":
            storage.discard(engine.snapshots, finding.name)
        elif finding.kind == "mount":
            unmount(finding.name)
        elif finding.kind == "folder":
            remove_folders(engine, os.path.basename(finding.name))
        else:
            return finding
    except (WherryError, OSError) as error:  # another finding stands on it, or it is busy
        return msgspec.structs.replace(
            finding, problem=f"{finding.problem}; it could not be removed: {error}"
        )
    return msgspec.structs.replace(finding, repaired=True)
