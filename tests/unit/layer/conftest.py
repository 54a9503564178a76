import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wherry.layer.apply import Applied, apply

Member = tuple[str, str, dict[str, Any]]


def member(name: str, kind: str = "0", content: bytes = b"", **fields: Any) -> tuple[Any, bytes]:
    info = tarfile.TarInfo(name)
    info.type = kind.encode()
    info.size = len(content)
    info.mode = fields.pop("mode", 0o755 if kind == "5" else 0o644)
    info.mtime = fields.pop("mtime", 1_600_000_000)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def archive(*members: tuple[Any, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


class Kit:
    """Archives from members, and their application to a directory with nothing outside touched."""

    member = staticmethod(member)
    archive = staticmethod(archive)

    def __init__(self, path: Path) -> None:
        self.outside = path / "outside"
        self.outside.mkdir()
        (self.outside / "secret").write_text("secret")
        self.target = path / "target"
        self.target.mkdir()

    def apply(self, *members: Any, style: str = "copy", **options: Any) -> Applied:
        data = members[0] if isinstance(members[0], bytes) else archive(*members)
        options.setdefault("owners", os.geteuid() == 0)
        return apply(io.BytesIO(data), str(self.target), whiteouts=style, **options)

    def assert_outside_untouched(self) -> None:
        assert sorted(os.listdir(self.outside)) == ["secret"]
        assert (self.outside / "secret").read_text() == "secret"


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    return Kit(tmp_path)


@pytest.fixture
def tree() -> Callable[[Path], dict[str, Any]]:
    """A directory as a dict: what a test compares."""

    def look(root: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for folder, folders, files in os.walk(root):
            for name in (*folders, *files):
                path = Path(folder, name)
                key = str(path.relative_to(root))
                if path.is_symlink():
                    found[key] = ("link", os.readlink(path))
                elif path.is_dir():
                    found[key] = ("dir", path.stat().st_mode & 0o7777)
                elif path.is_file():
                    found[key] = ("file", path.stat().st_mode & 0o7777, path.read_bytes())
                else:
                    found[key] = ("node", path.lstat().st_mode)
        return found

    return look
