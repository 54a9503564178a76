"""Mechanics of cgroup directories on an ordinary file system."""

import gc
import os
from pathlib import Path

import pytest

from wherry.kit.errors import Conflict, InvalidInput
from wherry.linux.cgroup import directory as directories
from wherry.linux.cgroup.directory import Directory, checked, create, processes, remove


@pytest.mark.parametrize(
    ("path", "wanted"), [("/docker/abc", "docker/abc"), ("a//b/./", "a/b"), ("/", ""), ("", "")]
)
def test_paths(path: str, wanted: str) -> None:
    assert checked(path) == wanted


@pytest.mark.parametrize("path", ["../x", "/a/../../b", "a/..", "a\0b", "a\nb"])
def test_paths_that_are_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="cgroup path"):
        checked(path)


@pytest.mark.parametrize("old_kernel", [False, True])
def test_links_are_not_followed(
    tmp_path: Path, old_kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if old_kernel:
        monkeypatch.setattr(directories, "openat2", _no_such_call)
    (tmp_path / "real/inner").mkdir(parents=True)
    (tmp_path / "top/link").parent.mkdir()
    (tmp_path / "top/link").symlink_to("../real")
    Directory.open(str(tmp_path), "real/inner").close()
    for path in ("top/link", "top/link/inner"):
        with pytest.raises(OSError, match=r"Too many levels|Not a directory"):
            Directory.open(str(tmp_path), path)
    with pytest.raises(OSError, match=r"Too many levels|Not a directory"):
        create(str(tmp_path), "top/link/new")
    assert not (tmp_path / "real/new").exists()


def _no_such_call(*_: object, **__: object) -> int:
    raise OSError(38, "Function not implemented")


def test_a_control_file_that_is_a_link_is_not_written(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    (tmp_path / "group").mkdir()
    (tmp_path / "group/memory.max").symlink_to(secret)
    with (
        Directory.open(str(tmp_path), "group") as group,
        pytest.raises(OSError, match=r"write '1': Too many levels.*memory\.max"),
    ):
        group.write("memory.max", "1")
    assert secret.read_text() == "x"


def test_create_makes_every_level_and_prepares_it(tmp_path: Path) -> None:
    seen = []

    def prepare(parent: Directory, child: Directory) -> None:
        seen.append((parent.path, child.path))

    with create(str(tmp_path), "/a/b", prepare) as made:
        assert made.path == f"{tmp_path}/a/b"
        assert os.path.samestat(os.fstat(made.fd), (tmp_path / "a/b").stat())
    root = str(tmp_path)
    assert seen == [(root, f"{root}/a"), (f"{root}/a", f"{root}/a/b")]


def test_nothing_stays_open_when_preparing_fails(tmp_path: Path) -> None:
    def prepare(parent: Directory, child: Directory) -> None:
        raise RuntimeError("no")

    gc.collect()  # what other tests dropped is closed now, not in between
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(RuntimeError):
        create(str(tmp_path), "a/b", prepare)
    assert set(os.listdir("/proc/self/fd")) <= before


def test_a_descriptor_outlives_a_rename(tmp_path: Path) -> None:
    with create(str(tmp_path), "a") as group:
        (tmp_path / "a/f").write_text("")
        (tmp_path / "a").rename(tmp_path / "b")
        group.write("f", "text")
    assert (tmp_path / "b/f").read_text() == "text"


def test_remove_takes_all_below(tmp_path: Path) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "a/d").mkdir()
    remove(str(tmp_path), "a")
    assert list(tmp_path.iterdir()) == []
    remove(str(tmp_path), "a")
    remove(str(tmp_path), "never/was")


def test_remove_refuses_the_top(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be removed"):
        remove(str(tmp_path), "/")


def test_remove_names_what_stays(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/cgroup.procs").write_text("12\n7\n")
    with pytest.raises(Conflict, match="a is still in use by the processes 12, 7"):
        remove(str(tmp_path), "a", wait=False)


def test_processes_of_all_below(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/cgroup.procs").write_text("5\n0\n")
    (tmp_path / "a/b/cgroup.procs").write_text("3\n5\n")
    with Directory.open(str(tmp_path), "a") as group:
        assert processes(group) == [3, 5]
        assert processes(group, below=False) == [5]
