"""The path rules of `cp`."""

import pytest

from wherry.cli.command import Failed
from wherry.cli.container import copypath
from wherry.cli.container.copypath import End, Place, Target


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("web:/etc/x", Place("web", "/etc/x")),
        ("web:x:y", Place("web", "x:y")),
        ("/a:b", Place("", "/a:b")),
        ("./a:b", Place("", "./a:b")),
        ("../a:b", Place("", "../a:b")),
        ("plain", Place("", "plain")),
        ("-", Place("", "-")),
        ("web:", Place("web", "")),
    ],
)
def test_the_two_ends(text: str, place: Place) -> None:
    assert copypath.split(text) == place


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("/a/b", ("/a", "b")),
        ("/a/b/", ("/a", "b")),
        ("/a/b/.", ("/a/b", ".")),
        ("/", ("/", "/")),
        ("/.", ("/", ".")),
        ("/a/../b", ("/", "b")),
    ],
)
def test_folder_and_name(path: str, entry: tuple[str, str]) -> None:
    assert copypath.entry(path) == entry


FILE, TREE, INSIDE = End("/s/f", True), End("/s/d", True, True), End("/s/d/.", True, True)
OLD_FILE, OLD_TREE = End("/t/x", True), End("/t/x", True, True)


@pytest.mark.parametrize(
    ("source", "wanted", "target"),
    [
        (FILE, OLD_TREE, Target("/t/x")),
        (FILE, OLD_FILE, Target("/t", "f", "x")),
        (FILE, End("/t/n"), Target("/t", "f", "n")),
        (TREE, OLD_TREE, Target("/t/x")),
        (TREE, End("/t/n"), Target("/t", "d", "n")),
        (TREE, End("/t/n/"), Target("/t", "d", "n")),
        (INSIDE, OLD_TREE, Target("/t/x")),
        (INSIDE, End("/t/n"), Target("/t", ".", "n")),
        (End("/s/f", True, rebase="l"), OLD_FILE, Target("/t", "l", "x")),
    ],
)
def test_where_the_archive_goes(source: End, wanted: End, target: Target) -> None:
    assert copypath.target(source, wanted) == target


@pytest.mark.parametrize(
    ("source", "wanted"), [(TREE, OLD_FILE), (INSIDE, OLD_FILE), (FILE, End("/t/n/"))]
)
def test_what_cannot_be_copied(source: End, wanted: End) -> None:
    with pytest.raises(Failed):
        copypath.target(source, wanted)


@pytest.mark.parametrize(
    ("name", "target", "renamed"),
    [
        ("f", Target("/t", "f", "x"), "x"),
        ("d/a/b", Target("/t", "d", "n"), "n/a/b"),
        ("dd/a", Target("/t", "d", "n"), "dd/a"),
        (".", Target("/t", ".", "n"), "n"),
        ("./a", Target("/t", ".", "n"), "n/a"),
        ("d/a", Target("/t"), "d/a"),
    ],
)
def test_names_in_the_archive(name: str, target: Target, renamed: str) -> None:
    assert copypath.rename(name, target) == renamed


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("far/web:/x", Place("web", "/x", "far")),
        ("far/web:/a/b:c", Place("web", "/a/b:c", "far")),
        ("tcp://h:2376/web:/x/y:/z", Place("web", "/x/y:/z", "tcp://h:2376")),
        ("tcp://[::1]:2376/web:/x", Place("web", "/x", "tcp://[::1]:2376")),
        ("unix:///run/x/s/web:/x", Place("web", "/x", "unix:///run/x/s")),
        ("ssh://me@h:22/web:/x", Place("web", "/x", "ssh://me@h:22")),
        ("ssh://me@h/run/s/web:/x", Place("web", "/x", "ssh://me@h/run/s")),
        ("./far/web:/x", Place("", "./far/web:/x")),
        ("/far/web:/x", Place("", "/far/web:/x")),
        ("web:far/web:/x", Place("web", "far/web:/x")),
    ],
)
def test_a_host_before_the_container(text: str, wanted: Place) -> None:
    assert copypath.split(text) == wanted
