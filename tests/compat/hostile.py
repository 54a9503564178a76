"""Archives that are wrong on purpose, for `docker load` and `docker import`."""

import gzip
import hashlib
import io
import json
import tarfile
from typing import NamedTuple


class Member(NamedTuple):
    """One member of a tar, as odd as it likes."""

    name: str
    data: bytes = b""
    kind: bytes = tarfile.REGTYPE
    target: str = ""
    device: tuple[int, int] = (0, 0)
    mode: int = 0o644


def tar(*members: Member) -> bytes:
    """A tar of them; names are not cleaned."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for member in members:
            info = tarfile.TarInfo(member.name)
            info.size, info.type, info.linkname = len(member.data), member.kind, member.target
            info.devmajor, info.devminor = member.device
            info.mode = member.mode
            archive.addfile(info, io.BytesIO(member.data))
    return buffer.getvalue()


def digest(data: bytes) -> str:
    """`sha256:…`."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def config(*diff_ids: str) -> bytes:
    """An image configuration."""
    layers = {"type": "layers", "diff_ids": list(diff_ids)}
    return json.dumps(
        {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": layers}
    ).encode()


def docker_archive(layer: Member, *diff_ids: str) -> bytes:
    """What `docker save` writes, around one layer."""
    manifest = [{"Config": "c.json", "RepoTags": ["hostile:1"], "Layers": [layer.name]}]
    return tar(
        Member("c.json", config(*diff_ids)),
        layer,
        Member("manifest.json", json.dumps(manifest).encode()),
    )


def oci_archive(layer: bytes, claimed: str) -> bytes:
    """An OCI layout whose layer has a name of its own choosing."""
    blobs = {}

    def put(data: bytes) -> dict[str, object]:
        blobs[digest(data)] = data
        return {"digest": digest(data), "size": len(data)}

    kind = "application/vnd.oci.image."
    setup = put(config(digest(layer))) | {"mediaType": f"{kind}config.v1+json"}
    described = {"digest": claimed, "size": len(layer), "mediaType": f"{kind}layer.v1.tar"}
    blobs[claimed] = layer
    manifest = {"schemaVersion": 2, "config": setup, "layers": [described]}
    top = put(json.dumps(manifest).encode()) | {"mediaType": f"{kind}manifest.v1+json"}
    index = {"schemaVersion": 2, "manifests": [top]}
    return tar(
        Member("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
        Member("index.json", json.dumps(index).encode()),
        *(Member(f"blobs/sha256/{name[7:]}", data) for name, data in blobs.items()),
    )


LAYER = tar(Member("file", b"content"))

LOADED = {
    "no tar": b"this is no archive, but it is longer than a header " * 20,
    "half a tar": docker_archive(Member("l.tar", LAYER), digest(LAYER))[:2000],
    "half a gzip": gzip.compress(docker_archive(Member("l.tar", LAYER), digest(LAYER)))[:-40],
    "no manifest": tar(Member("file", b"x")),
    "manifest is no json": tar(Member("manifest.json", b"{")),
    "manifest of another kind": tar(Member("manifest.json", b'{"a":1}')),
    "a layer that is missing": tar(
        Member("c.json", config(digest(LAYER))),
        Member("manifest.json", b'[{"Config":"c.json","Layers":["nope.tar"]}]'),
    ),
    "a layer that lies": docker_archive(Member("l.tar", LAYER), digest(b"another")),
    "a blob that lies": oci_archive(LAYER, digest(b"another")),
    "more layers than diff ids": docker_archive(Member("l.tar", LAYER)),
    "a layer that is no tar": docker_archive(Member("l.tar", b"x" * 5000), digest(b"x" * 5000)),
    "a layer that is a fifo": docker_archive(Member("l.tar", kind=tarfile.FIFOTYPE), digest(b"")),
    "a layer that is a device": docker_archive(
        Member("l.tar", kind=tarfile.BLKTYPE, device=(8, 0)), digest(b"")
    ),
    "a layer that links to the host": docker_archive(
        Member("l.tar", kind=tarfile.SYMTYPE, target="/etc/passwd"), digest(b"")
    ),
    "a layer beside the archive": docker_archive(
        Member("../../../../etc/passwd", LAYER), digest(b"another")
    ),
    "a hard link out of the layer": docker_archive(
        Member("l.tar", tar(Member("a", kind=tarfile.LNKTYPE, target="../../../etc/passwd"))),
        digest(tar(Member("a", kind=tarfile.LNKTYPE, target="../../../etc/passwd"))),
    ),
}
"""Archives that `docker load` has to refuse."""

ODD = tar(
    Member("../../../escaped-by-dots", b"x"),
    Member("/escaped-by-slash", b"x"),
    Member("way", kind=tarfile.SYMTYPE, target="/"),
    Member("way/escaped-by-link", b"x"),
    Member("null", kind=tarfile.CHRTYPE, device=(1, 3), mode=0o666),
    Member("pipe", kind=tarfile.FIFOTYPE),
    Member("passwd", kind=tarfile.SYMTYPE, target="/etc/passwd"),
)
"""A root file system that tries to leave its folder."""
