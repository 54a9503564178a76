"""A tree comes whole or not at all."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wherry.kit.errors import InvalidInput, NotFound
from wherry.layer import staged
from wherry.layer.archive import Unpacking
from wherry.layer.errors import BrokenArchive, NotReplaceable

OWNERS = os.geteuid() == 0


class Target:
    """A root with something in /dst."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "dst/dir").mkdir(parents=True)
        (path / "dst/dir/old").write_text("old")
        (path / "dst/dir/both").write_text("old")
        (path / "dst/file").write_text("old")
        (path / "way").symlink_to("/dst")
        self.fd = os.open(path, os.O_PATH)
        self.told: list[tuple[str, str]] = []

    def write(self, where: str, data: bytes, *, strict: bool = True) -> None:
        how = Unpacking(strict, None, OWNERS)
        stream = io.BytesIO(data)
        staged.write(self.fd, where, stream, how, lambda *words: self.told.append(words))

    def tree(self) -> dict[str, str]:
        """Every path with its content, mode and time."""
        return {
            str(path.relative_to(self.path)): (
                "link" if path.is_symlink() else path.read_text() if path.is_file() else "folder"
            )
            + f" {path.lstat().st_mode:o} {int(path.lstat().st_mtime) if path.is_file() else ''}"
            for path in sorted(self.path.rglob("*"))
        }


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    (tmp_path / "root").mkdir()
    made = Target(tmp_path / "root")
    yield made
    os.close(made.fd)


def test_new_and_old_are_merged(target: Target, kit: Any) -> None:
    data = kit.archive(
        kit.member("dir", "5", mode=0o750),
        kit.member("dir/both", content=b"new"),
        kit.member("dir/new", "5"),
        kit.member("dir/new/x", content=b"x"),
        kit.member("file", content=b"new", mode=0o600),
        kit.member("hard", "1", linkname="dir/both"),
    )
    target.write("/way", data)
    at = target.path / "dst"
    assert (at / "dir/both").read_text() == "new"
    assert (at / "dir/old").read_text() == "old"
    assert (at / "dir/new/x").read_text() == "x"
    assert (at / "dir").stat().st_mode & 0o777 == 0o750
    assert (at / "dir").stat().st_mtime == 1_600_000_000
    assert (at / "file").stat().st_mode & 0o777 == 0o600
    assert (at / "hard").stat().st_ino == (at / "dir/both").stat().st_ino
    assert not [name for name in os.listdir(at) if name.startswith(staged.PREFIX)]
    assert [folder for folder, _ in target.told] == ["/dst"]


def test_the_folder_itself_is_dressed(target: Target, kit: Any) -> None:
    target.write("/dst", kit.archive(kit.member("./", "5", mode=0o711), kit.member("./a")))
    assert (target.path / "dst").stat().st_mode & 0o777 == 0o711
    assert (target.path / "dst/a").exists()


def some(kit: Any) -> bytes:
    return bytes(
        kit.archive(
            kit.member("a", content=b"1" * 5000),
            kit.member("dir", "5"),
            kit.member("dir/both", content=b"new" * 1000),
            kit.member("z", content=b"2" * 700),
        )
    )


def test_a_stream_that_is_cut_anywhere_changes_nothing(target: Target, kit: Any) -> None:
    data, before = some(kit), target.tree()
    end = len(data.rstrip(b"\0"))
    for cut in [*range(0, end, 512), end]:
        with pytest.raises((BrokenArchive, InvalidInput)):
            target.write("/dst", data[:cut])
        assert target.tree() == before, cut
    target.write("/dst", data[: end + -end % 512 + 512])  # one empty block is end enough
    assert target.tree() != before


def test_conflicts_are_found_before_anything_moves(target: Target, kit: Any) -> None:
    before = target.tree()
    for late in (kit.member("z", "5"), kit.member("dir/q", content=b"x")):
        for member, text in (
            (kit.member("file", "5"), "non-directory"),
            (kit.member("dir", content=b"x"), "directory"),
        ):
            with pytest.raises(NotReplaceable, match=text):
                target.write("/dst", kit.archive(kit.member("a", content=b"x"), member))
            assert target.tree() == before
        del late


def test_kinds_may_change_where_that_is_wanted(target: Target, kit: Any) -> None:
    data = kit.archive(kit.member("file", "5"), kit.member("dir", content=b"x"))
    target.write("/dst", data, strict=False)
    assert (target.path / "dst/file").is_dir()
    assert (target.path / "dst/dir").read_text() == "x"


def test_nothing_leaves_the_root(target: Target, kit: Any) -> None:
    (target.path / "dst/out").symlink_to("../../../../../../outside")
    with pytest.raises(BrokenArchive, match="outside"):
        target.write("/dst", kit.archive(kit.member("a"), kit.member("../../escaped")))
    target.write("/dst", kit.archive(kit.member("out", content=b"x")))
    kit.assert_outside_untouched()
    assert not (target.path / "dst/a").exists()
    assert (target.path / "dst/out").read_text() == "x"


def test_no_such_place(target: Target, kit: Any) -> None:
    with pytest.raises(NotFound):
        target.write("/nope", some(kit))
    with pytest.raises(InvalidInput):
        target.write("/dst/file", some(kit))
    assert target.told == []


def test_what_a_crash_left_is_discarded(target: Target) -> None:
    (target.path / "dst/.wherry-cp-x/deep").mkdir(parents=True)
    staged.discard(target.fd, "/dst", ".wherry-cp-x")
    staged.discard(target.fd, "/dst", ".wherry-cp-x")
    staged.discard(target.fd, "/nope", ".wherry-cp-x")
    assert not (target.path / "dst/.wherry-cp-x").exists()
