"""Unpacking what a hostile container sends: nothing may land outside of the folder."""

import contextlib
import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from wherry.cli.command import Failed
from wherry.cli.container.copyin import Packer
from wherry.cli.container.copyout import unpack
from wherry.kit.errors import Corrupt


def archive(*members: tuple[str, bytes, str, str]) -> list[bytes]:
    """Members as name, type, link target, content."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, kind, link, content in members:
            header = tarfile.TarInfo(name)
            header.type, header.linkname, header.size = kind, link, len(content)
            header.mode = 0o755 if kind == tarfile.DIRTYPE else 0o640
            tar.addfile(header, io.BytesIO(content.encode()))
    data = file.getvalue()
    return [data[at : at + 700] for at in range(0, len(data), 700)]


def put(folder: Path, pieces: list[bytes]) -> None:
    unpack(pieces, str(folder), lambda name: name, owners=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in/here"
    made.mkdir(parents=True)
    return made


FILE, DIR, SYM, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def test_what_is_sent_is_there(folder: Path) -> None:
    put(
        folder,
        archive(
            ("d", DIR, "", ""),
            ("d/f", FILE, "", "x" * 5000),
            ("d/l", SYM, "/etc/passwd", ""),
            ("d/h", HARD, "d/f", ""),
            ("e/deep/f", FILE, "", "y"),
        ),
    )
    assert (folder / "d/f").read_text() == "x" * 5000
    assert stat.S_IMODE((folder / "d/f").stat().st_mode) == 0o640
    assert os.readlink(folder / "d/l") == "/etc/passwd"
    assert (folder / "d/h").samefile(folder / "d/f")
    assert (folder / "e/deep/f").read_text() == "y"


@pytest.mark.parametrize(
    "members",
    [
        [("../evil", FILE, "", "x")],
        [("/evil", FILE, "", "x")],
        [("a/../../evil", FILE, "", "x")],
        [("up", SYM, "..", ""), ("up/evil", FILE, "", "x")],
        [("root", SYM, "/", ""), ("root/evil", FILE, "", "x")],
        [("up", SYM, "../..", ""), ("up/evil", DIR, "", "")],
        [("evil", SYM, "../outside", ""), ("evil", FILE, "", "x")],
    ],
)
def test_nothing_leaves_the_folder(
    members: list[tuple[str, bytes, str, str]], folder: Path
) -> None:
    outside = folder.parent / "outside"
    outside.write_text("safe")
    with contextlib.suppress(Failed, OSError):  # refusing is right too
        put(folder, archive(*members))
    assert outside.read_text() == "safe"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["here", "outside"]
    assert not Path("/evil").exists()


def test_a_hard_link_cannot_take_a_file_from_outside(folder: Path) -> None:
    (folder.parent / "secret").write_text("secret")
    with pytest.raises(OSError, match=r"No such file|not permitted"):
        put(folder, archive(("grab", HARD, "../secret", "")))
    assert not (folder / "grab").exists()


def test_a_link_in_the_way_is_replaced_not_followed(folder: Path) -> None:
    target = folder.parent / "target"
    target.write_text("safe")
    (folder / "f").symlink_to(target)
    put(folder, archive(("f", FILE, "", "new")))
    assert target.read_text() == "safe"
    assert not (folder / "f").is_symlink()


@pytest.mark.parametrize(("kind", "there"), [(FILE, "directory"), (DIR, "file")])
def test_kinds_are_not_changed(kind: bytes, there: str, folder: Path) -> None:
    if there == "directory":
        (folder / "x").mkdir()
    else:
        (folder / "x").write_text("")
    with pytest.raises(Failed, match="cannot overwrite"):
        put(folder, archive(("x", kind, "", "")))


@pytest.mark.parametrize("data", [b"no archive at all" * 100, b"\0" * 100 + b"x" * 600])
def test_what_is_no_archive(data: bytes, folder: Path) -> None:
    with pytest.raises(Corrupt):
        put(folder, [data])


def test_a_packed_tree_comes_out_again(folder: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "empty").mkdir(parents=True)
    (tree / "big").write_bytes(os.urandom(3_000_001))
    os.link(tree / "big", tree / "same")
    (tree / "link").symlink_to("big")
    os.mkfifo(tree / "fifo")
    long = tree / ("n" * 120)
    long.write_text("long ü")
    os.chmod(tree / "big", 0o4711)
    os.utime(long, (0, 1_000_000_000))
    pieces = list(Packer(lambda name: name).pack(str(tree), "tree"))
    put(folder, pieces)
    made = folder / "tree"
    assert (made / "big").read_bytes() == (tree / "big").read_bytes()
    assert stat.S_IMODE((made / "big").stat().st_mode) == 0o4711
    assert (made / "same").samefile(made / "big")
    assert os.readlink(made / "link") == "big"
    assert stat.S_ISFIFO((made / "fifo").stat().st_mode)
    assert (made / long.name).stat().st_mtime == 1_000_000_000
    assert (made / "empty").is_dir()
