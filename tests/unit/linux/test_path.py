"""Resolution inside a root, by openat2 and by hand: both follow the same rules."""

import errno
import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wherry.linux import path as paths
from wherry.linux.libc import NUMBERS

Opener = Callable[[int, str, int, int], int]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    inside = tmp_path / "root"
    (inside / "a" / "b").mkdir(parents=True)
    (inside / "a" / "file").write_text("inside")
    (inside / "secret").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    for name, target in {
        "up": "../../secret",
        "absolute": "/secret",
        "chain": "up",
        "loop": "loop",
        "dangling": "/new/deep",
        "fd": "/proc/self/fd",
    }.items():
        (inside / name).symlink_to(target)
    descriptor = os.open(inside, os.O_PATH)
    yield descriptor
    os.close(descriptor)


def read(opener: Opener, root: int, path: str) -> str:
    descriptor = opener(root, path, os.O_RDONLY, 0)
    with open(descriptor, encoding="utf-8") as file:
        return file.read()


OPENERS = [paths.open_in_root, paths._walk]


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    "path", ["secret", "/secret", "../secret", "/../../secret", "up", "absolute", "chain",
             "a/../secret", "a/b/../../../../secret"]
)  # fmt: skip
def test_nothing_leaves_the_root(opener: Opener, root: int, path: str) -> None:
    assert read(opener, root, path) == "inside"


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    ("path", "number"),
    [("missing", errno.ENOENT), ("loop", errno.ELOOP), ("secret/x", errno.ENOTDIR)],
)
def test_errors_name_the_path(opener: Opener, root: int, path: str, number: int) -> None:
    with pytest.raises(OSError) as caught:
        opener(root, path, os.O_RDONLY, 0)
    assert caught.value.errno == number
    assert path in str(caught.value)


@pytest.mark.parametrize("opener", OPENERS)
def test_magic_links_are_refused(opener: Opener) -> None:
    real_root = os.open("/", os.O_PATH)
    try:
        with pytest.raises(OSError) as caught:
            opener(real_root, f"/proc/{os.getpid()}/root/etc", os.O_PATH, 0)
        assert caught.value.errno == errno.ELOOP
    finally:
        os.close(real_root)


@pytest.mark.parametrize("opener", OPENERS)
def test_a_file_is_made_with_its_mode(opener: Opener, root: int) -> None:
    old = os.umask(0)
    try:
        os.close(opener(root, "a/new", os.O_CREAT | os.O_WRONLY, 0o640))
    finally:
        os.umask(old)
    assert os.stat("a/new", dir_fd=root).st_mode & 0o7777 == 0o640


@pytest.mark.parametrize("opener", OPENERS)
def test_no_follow_opens_the_link_itself(opener: Opener, root: int) -> None:
    descriptor = opener(root, "absolute", os.O_PATH | os.O_NOFOLLOW, 0)
    try:
        assert os.readlink("", dir_fd=descriptor) == "/secret"
    finally:
        os.close(descriptor)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["a", "b", "..", ".", "", "up", "absolute", "secret", "file"]),
                max_size=6))  # fmt: skip
def test_both_ways_agree(root: int, pieces: list[str]) -> None:
    def outcome(opener: Opener) -> object:
        try:
            descriptor = opener(root, "/".join(pieces) or ".", os.O_PATH, 0)
        except OSError as error:
            return error.errno
        status = os.fstat(descriptor)
        os.close(descriptor)
        return status.st_ino

    if pieces[-1:] not in ([""], ["."], [".."]):  # the kernel also checks "file/" to be a folder
        assert outcome(paths.open_in_root) == outcome(paths._walk)


def test_directories_are_made_step_by_step(root: int) -> None:
    made = paths.make_directories_in_root(root, "/x/../a/y/z")
    assert os.stat("a/y/z", dir_fd=root).st_ino == os.fstat(made).st_ino
    os.close(made)


def test_directories_are_made_where_a_dangling_link_points(root: int) -> None:
    os.close(paths.make_directories_in_root(root, "dangling/more"))
    assert os.path.isdir(f"/proc/self/fd/{root}/new/deep/more")


def test_a_link_onto_itself_makes_no_directory(root: int) -> None:
    with pytest.raises(OSError):
        paths.make_directories_in_root(root, "loop/more")


def test_a_file_in_the_way_is_an_error(root: int) -> None:
    with pytest.raises(NotADirectoryError):
        paths.make_directories_in_root(root, "secret/more")


def test_descriptors_are_given_back(root: int) -> None:
    gc.collect()  # what other tests dropped is closed now, not in between
    before = set(os.listdir("/proc/self/fd"))
    for path in ("a/b", "x/y/z", "dangling/w"):
        os.close(paths.make_directories_in_root(root, path))
    for path in ("missing", "loop", "up"):
        try:
            os.close(paths._walk(root, path, os.O_RDONLY, 0))
        except OSError:
            continue
    assert set(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize("old_kernel", [False, True])
@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("a/file", None),
        ("/a/b", None),
        ("up", errno.ELOOP),
        ("absolute", errno.ELOOP),
        ("a/../secret", None),
        ("../secret", errno.EXDEV),
        ("missing", errno.ENOENT),
    ],
)
def test_without_links(
    root: int, path: str, number: int | None, old_kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if old_kernel:
        monkeypatch.setitem(NUMBERS, "openat2", 9999)
        if path == "a/../secret":
            pytest.skip("any .. is refused by hand")
    try:
        os.close(paths.open_without_links(root, path, os.O_RDONLY))
        found = None
    except OSError as error:
        found = error.errno
    assert found == number


@pytest.mark.parametrize("old_kernel", [False, True])
def test_another_file_system_is_refused(old_kernel: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if old_kernel:
        monkeypatch.setitem(NUMBERS, "openat2", 9999)
    real_root = os.open("/", os.O_PATH)
    try:
        os.close(paths.open_without_links(real_root, "proc", os.O_PATH))
        with pytest.raises(OSError) as caught:
            paths.open_without_links(real_root, "proc", os.O_PATH, same_filesystem=True)
        assert caught.value.errno == errno.EXDEV
    finally:
        os.close(real_root)
