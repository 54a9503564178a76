import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.layer.errors import BrokenArchive
from wherry.layer.place import Place, clean


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("a/b", "a/b"),
        ("./a//b/", "a/b"),
        ("/etc/passwd", "etc/passwd"),
        ("a/../b", "b"),
        (".", ""),
        ("./", ""),
        ("/", ""),
        ("a/..", ""),
        ("...", "..."),
    ],
)
def test_names_are_made_relative(name: str, cleaned: str) -> None:
    assert clean(name) == cleaned


@pytest.mark.parametrize("name", ["..", "../x", "a/../../x", "/../x", "./../x", "a/b/../../../c"])
def test_names_that_leave_the_root(name: str) -> None:
    with pytest.raises(BrokenArchive, match="outside"):
        clean(name)


def test_names_that_no_call_takes() -> None:
    with pytest.raises(BrokenArchive, match="too long"):
        clean("a/" * 3000)


@given(st.lists(st.sampled_from(["a", "b", ".", "..", "", "c/d"]), min_size=1, max_size=8))
def test_cleaning_twice_changes_nothing(parts: list[str]) -> None:
    try:
        once = clean("/".join(parts))
    except BrokenArchive:
        return
    assert clean(once) == once
    assert ".." not in once.split("/")


@given(st.lists(st.sampled_from(["a", "b", "./b/c", "b/c", "b//c", "b/../a", "b/c/", "d/./e"])))
def test_every_name_is_found_in_the_directory_of_its_clean_form(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    root = tmp_path_factory.mktemp("place")
    descriptor = os.open(root, os.O_PATH)
    place = Place(descriptor, "", lambda fd, name, _: os.mkdir(name, dir_fd=fd))
    try:
        for name in names:
            base = place.locate(name)
            folder, _, last = clean(name).rpartition("/")
            assert base == last
            assert os.path.samestat(os.fstat(place.fd), os.stat(root / folder))
    finally:
        place.close()
        os.close(descriptor)


def test_the_prefix_is_resolved_in_the_root(tmp_path: Path) -> None:
    (tmp_path / "root/real").mkdir(parents=True)
    (tmp_path / "root/link").symlink_to("/real")
    descriptor = os.open(tmp_path / "root", os.O_PATH)
    place = Place(descriptor, "link", lambda fd, name, _: os.mkdir(name, dir_fd=fd))
    try:
        place.locate("sub/file")
        assert (tmp_path / "root/real/sub").is_dir()
    finally:
        place.close()
        os.close(descriptor)
