import os
import resource
import stat
from pathlib import Path

import pytest

from wherry.linux.copytree import copy_tree
from wherry.linux.tree import Descent, directories, open_start, remove_path, usage


def deep(path: Path, levels: int) -> None:
    path.mkdir()
    here = os.open(path, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d" * 20, dir_fd=here)
        inner = os.open("d" * 20, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("leaf", os.O_CREAT, dir_fd=here))
    os.close(here)


def test_removes_what_it_should_and_follows_nothing(tmp_path: Path) -> None:
    (tmp_path / "keep").mkdir()
    (tmp_path / "keep/file").write_text("x")
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/link").symlink_to(tmp_path / "keep")
    (tree / "top").symlink_to(tmp_path / "keep")
    os.mkfifo(tree / "a/b/pipe")
    remove_path(str(tree))
    assert os.listdir(tmp_path) == ["keep"]
    assert (tmp_path / "keep/file").read_text() == "x"
    (tmp_path / "link").symlink_to(tmp_path / "keep")
    remove_path(str(tmp_path / "link"))
    remove_path(str(tmp_path / "link"))
    remove_path(str(tmp_path / "no/such/folder"))
    assert os.listdir(tmp_path / "keep") == ["file"]


def test_read_only_and_closed_directories(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for mode in (0o000, 0o500, 0o300, 0o400):
        inner = tree / f"{mode:o}" / "in"
        inner.mkdir(parents=True)
        (inner / "file").write_text("x")
        inner.chmod(mode)
        inner.parent.chmod(mode)
    remove_path(str(tree))
    assert not tree.exists()


def test_trees_deeper_than_path_max_and_the_limit_of_open_files(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    deep(tmp_path / "tree", 700)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        assert sum(1 for _ in directories(str(tmp_path / "tree"))) == 701
        assert usage(str(tmp_path / "tree")).inodes == 702
        (tmp_path / "copy").mkdir()
        source = os.open(tmp_path / "tree", os.O_RDONLY)
        target = os.open(tmp_path / "copy", os.O_RDONLY)
        assert copy_tree(source, target) == 701
        os.close(source)
        os.close(target)
        assert usage(str(tmp_path / "copy")).inodes == 702
        remove_path(str(tmp_path / "tree"))
        remove_path(str(tmp_path / "copy"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert os.listdir(tmp_path) == []


def test_a_directory_that_was_moved_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    walk = Descent(open_start(str(tmp_path / "a")))
    walk.down("b")
    os.rename(tmp_path / "a/b", tmp_path / "b")
    with pytest.raises(OSError, match="moved"):
        walk.up()
    walk.close()


def test_links_are_no_directories(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/link").symlink_to("/")
    walk = Descent(open_start(str(tmp_path / "a")))
    with pytest.raises(OSError):
        walk.down("link")
    walk.close()


def test_usage_counts_links_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    os.link(tmp_path / "a", tmp_path / "b")
    measured = usage(str(tmp_path))
    assert measured.inodes == 2
    assert 100_000 <= measured.bytes < 120_000


def test_a_copy_has_everything(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "d").mkdir(parents=True)
    (source / "d/file").write_bytes(b"content" * 1000)
    (source / "d/file").chmod(0o4751)
    os.link(source / "d/file", source / "hard")
    (source / "soft").symlink_to("d/file")
    os.mkfifo(source / "pipe", 0o622)
    with open(source / "holes", "wb") as file:
        file.seek(5_000_000)
        file.write(b"data")
        file.truncate(9_000_000)
    with_xattrs = True
    try:
        os.setxattr(source / "d", "user.x", b"1")
    except OSError:
        with_xattrs = False
    (source / "d").chmod(0o1711)
    os.utime(source / "d", ns=(1, 5_000_000_007))
    target = tmp_path / "target"
    target.mkdir()
    descriptors = [os.open(path, os.O_RDONLY) for path in (source, target)]
    assert copy_tree(*descriptors) == 6
    for descriptor in descriptors:
        os.close(descriptor)
    for path in (source, *source.rglob("*")):
        before, after = path.lstat(), (target / path.relative_to(source)).lstat()
        assert (before.st_mode, before.st_size, before.st_mtime_ns) == (
            after.st_mode,
            after.st_size,
            after.st_mtime_ns,
        )
        assert (before.st_uid, before.st_gid, before.st_nlink) == (
            after.st_uid,
            after.st_gid,
            after.st_nlink,
        )
        if stat.S_ISREG(before.st_mode):
            assert path.read_bytes() == (target / path.relative_to(source)).read_bytes()
    assert (target / "holes").stat().st_blocks * 512 < 1_000_000
    assert os.path.samefile(target / "hard", target / "d/file")
    assert not with_xattrs or os.getxattr(target / "d", "user.x") == b"1"
