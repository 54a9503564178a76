"""A context as one file (`docker context export`): a tar, or a zip when it comes from elsewhere."""

import io
import json
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

from wherry.client.contexts import Context, renamed
from wherry.client.document import Document
from wherry.kit.errors import InvalidInput

MAX_BYTES = 10 << 20
META = "meta.json"
_TLS = "tls/"


def write(context: Context) -> bytes:
    """A tar with meta.json and the files of `tls/`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _add(tar, META, json.dumps(dict(context.meta.raw)).encode(), 0o644)
        folders = {posixpath.dirname(path) for path in context.files}
        for folder in ("tls", *(f"tls/{name}" for name in sorted(folders))):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o700
            tar.addfile(info)
        for path, data in sorted(context.files.items()):
            _add(tar, _TLS + path, data, 0o600)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    tar.addfile(info, io.BytesIO(data))


_BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError),
    RuntimeError,  # zipfile's word for what is encrypted
)


def read(data: bytes, name: str) -> Context:
    """The context under another name. Raises InvalidInput for what is no exported context."""
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"an exported context of {len(data)} bytes is too large")
    try:
        members = dict(_zipped(data) if data.startswith(b"PK") else _tarred(data))
        meta = json.loads(members.pop(META))
    except _BROKEN as error:
        raise InvalidInput(f"not an exported context: {error}") from error
    if not isinstance(meta, dict):
        raise InvalidInput("not an exported context: meta.json is no object")
    files = {_checked(path).removeprefix(_TLS): content for path, content in members.items()}
    return renamed(Context(Document(meta), files), name)


def _tarred(data: bytes) -> Iterator[tuple[str, bytes]]:
    end = bytes(-len(data) % 512 + 1024)  # Docker leaves the last padding and the end mark out
    with tarfile.open(fileobj=io.BytesIO(data + end)) as tar:
        for info in tar:
            file = tar.extractfile(info) if info.isreg() else None
            if file is not None:
                yield info.name, file.read()


def _zipped(data: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(info.file_size for info in archive.infolist()) > MAX_BYTES:
            raise InvalidInput("an exported context that unpacks to so much is none")
        for info in archive.infolist():
            if not info.is_dir():
                yield info.filename, archive.read(info)


def _checked(path: str) -> str:
    """`tls/ENDPOINT/FILE` and nothing that leads elsewhere."""
    parts = path.split("/")
    if len(parts) != 3 or parts[0] != "tls" or any(part in ("", ".", "..") for part in parts):
        raise InvalidInput(f"an exported context has no file {path!r}")
    return path
