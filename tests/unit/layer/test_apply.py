import gzip
import hashlib
import os
import resource
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wherry.kit.errors import Unavailable, WherryError
from wherry.layer.apply import sync
from wherry.layer.errors import BrokenArchive

Tree = Callable[[Path], dict[str, Any]]


def test_a_layer_with_everything(kit: Any, tree: Tree) -> None:
    m = kit.member
    data = kit.archive(
        m("usr/", "5", mode=0o750, mtime=5),
        m("usr/file", content=b"content", mode=0o4711, mtime=7.5),
        m("usr/hard", "1", linkname="usr/file"),
        m("usr/soft", "2", linkname="../usr/file"),
        m("usr/pipe", "6", mode=0o622),
        m("/abs/forgotten/file", content=b"x"),
    )
    applied = kit.apply(gzip.compress(data))
    assert applied.diff_id == "sha256:" + hashlib.sha256(data).hexdigest()
    assert applied.diff_size == len(data)
    assert applied.digest == "sha256:" + hashlib.sha256(gzip.compress(data)).hexdigest()
    assert (applied.entries, applied.skipped) == (6, ())
    assert applied.content_size == len("content" + "../usr/file" + "x")
    assert tree(kit.target) == {
        "abs": ("dir", 0o755),
        "abs/forgotten": ("dir", 0o755),
        "abs/forgotten/file": ("file", 0o644, b"x"),
        "usr": ("dir", 0o750),
        "usr/file": ("file", 0o4711, b"content"),
        "usr/hard": ("file", 0o4711, b"content"),
        "usr/pipe": ("node", stat.S_IFIFO | 0o622),
        "usr/soft": ("link", "../usr/file"),
    }
    assert os.stat(kit.target / "usr").st_mtime == 5
    assert os.stat(kit.target / "usr/file").st_mtime_ns == 7_500_000_000
    assert os.path.samefile(kit.target / "usr/file", kit.target / "usr/hard")


def test_the_root_entry_sets_the_root(kit: Any) -> None:
    kit.apply(kit.member("./", "5", mode=0o711, mtime=99))
    status = os.stat(kit.target)
    assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o711, 99)


def test_the_umask_of_the_caller_does_not_count(kit: Any, tree: Tree) -> None:
    before = os.umask(0o077)
    try:
        kit.apply(kit.member("d/", "5", mode=0o777), kit.member("d/f", mode=0o666))
    finally:
        os.umask(before)
    assert tree(kit.target) == {"d": ("dir", 0o777), "d/f": ("file", 0o666, b"")}


def test_read_only_directories_are_filled_first(kit: Any, tree: Tree) -> None:
    kit.apply(kit.member("d/", "5", mode=0o555), kit.member("d/f"), kit.member("d/e/", "5", mode=0))
    assert tree(kit.target)["d"] == ("dir", 0o555)
    assert tree(kit.target)["d/e"] == ("dir", 0)


def test_the_later_of_two_members_counts(kit: Any, tree: Tree) -> None:
    m = kit.member
    kit.apply(
        m("a", content=b"first"),
        m("a", content=b"second"),
        m("b/", "5"),
        m("b/inner/deep", content=b"gone"),
        m("b", content=b"a file now"),
        m("c", content=b"a file"),
        m("c/", "5"),
        m("c/inner", content=b"kept"),
        m("d", "2", linkname="a"),
        m("d/", "5"),
        m("e/", "5", mode=0o700),
        m("e/kept"),
        m("e/", "5", mode=0o711),
    )
    assert tree(kit.target) == {
        "a": ("file", 0o644, b"second"),
        "b": ("file", 0o644, b"a file now"),
        "c": ("dir", 0o755),
        "c/inner": ("file", 0o644, b"kept"),
        "d": ("dir", 0o755),
        "e": ("dir", 0o711),
        "e/kept": ("file", 0o644, b""),
    }


def test_forgotten_parents_are_as_in_the_layers_below(kit: Any, tmp_path: Path, tree: Tree) -> None:
    for name, mode in (("upper", 0o700), ("lower", 0o711)):
        (tmp_path / name / "var").mkdir(parents=True)
        (tmp_path / name / "var").chmod(mode)
    (tmp_path / "lower/var/lib").mkdir(mode=0o750)
    (tmp_path / "lower/evil").symlink_to(kit.outside)
    lowers = (str(tmp_path / "upper"), str(tmp_path / "lower"))
    kit.apply(kit.member("var/lib/new"), kit.member("evil/new"), lowers=lowers)
    found = tree(kit.target)
    assert (found["var"], found["var/lib"], found["evil"]) == (
        ("dir", 0o700),
        ("dir", 0o750),
        ("dir", 0o755),
    )


HOSTILE = {
    "dotdot": [("../outside/new", "0", {})],
    "deep dotdot": [("a/../../outside/new", "0", {})],
    "dotdot directory": [("..", "5", {"mode": 0o777})],
    "hard link out": [("mine", "1", {"linkname": "../outside/secret"})],
    "hard link through a link": [
        ("out", "2", {"linkname": "../outside"}),
        ("mine", "1", {"linkname": "out/secret"}),
    ],
    "file through a link": [("out", "2", {"linkname": "../outside"}), ("out/new", "0", {})],
    "file through an absolute link": [
        ("out", "2", {"linkname": "{outside}"}),
        ("out/new", "0", {}),
    ],
    "whiteout of dotdot": [("a/", "5", {}), ("a/.wh...", "0", {})],
    "whiteout of dot": [("a/.wh..", "0", {})],
    "whiteout of nothing": [(".wh.", "0", {})],
    "hard link to itself": [("a", "1", {"linkname": "a"})],
    "hard link to nothing": [("a", "1", {"linkname": "b"})],
    "hard link to the root": [("a", "1", {"linkname": "/"})],
    "symbolic link to nothing": [("a", "2", {"linkname": ""})],
    "root as a file": [("./", "0", {}), (".", "0", {})],
    "long component": [("n" * 256, "0", {})],
    "long path": [("n/" * 2500 + "x", "0", {})],
    "unknown kind": [("a", "Z", {})],
    "file as a directory": [("a", "0", {}), ("a/b", "0", {})],
    "links in a circle": [
        ("a", "2", {"linkname": "b"}),
        ("b", "2", {"linkname": "a"}),
        ("a/c", "0", {}),
    ],
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("style", ["copy", "user"])
def test_hostile_members_are_refused(kit: Any, case: str, style: str) -> None:
    members = [
        kit.member(
            name,
            kind,
            **{
                k: v.format(outside=kit.outside) if k == "linkname" else v
                for k, v in fields.items()
            },
        )
        for name, kind, fields in HOSTILE[case]
    ]
    with pytest.raises(BrokenArchive) as caught:
        kit.apply(*members, style=style)
    assert str(caught.value)
    kit.assert_outside_untouched()


def test_links_that_lead_out_are_only_text(kit: Any, tree: Tree) -> None:
    kit.apply(
        kit.member("etc/", "5"),
        kit.member("up", "2", linkname="../../../../etc"),
        kit.member("up/passwd", content=b"inside"),
        kit.member("abs", "2", linkname="/etc"),
        kit.member("abs/group", content=b"inside"),
    )
    assert tree(kit.target)["etc/passwd"] == ("file", 0o644, b"inside")
    assert tree(kit.target)["etc/group"] == ("file", 0o644, b"inside")


def test_existing_links_are_replaced_not_written_through(kit: Any, tree: Tree) -> None:
    (kit.target / "f").symlink_to(kit.outside / "secret")
    (kit.target / "d").symlink_to(kit.outside)
    kit.apply(kit.member("f", content=b"new"), kit.member("d/", "5", mode=0o700))
    kit.assert_outside_untouched()
    assert stat.S_IMODE(kit.outside.stat().st_mode) == 0o755
    assert tree(kit.target) == {"f": ("file", 0o644, b"new"), "d": ("dir", 0o700)}


def test_whiteouts_of_a_full_tree_delete(kit: Any, tree: Tree) -> None:
    for name in ("a/b/c", "a/keep", "opaque/old/x", "opaque/new/old"):
        path = kit.target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("old")
    kit.apply(
        kit.member("opaque/new/fresh"),
        kit.member("opaque/.wh..wh..opq"),
        kit.member("a/.wh.b"),
        kit.member("a/.wh.never"),
        kit.member("same", content=b"brought by this layer"),
        kit.member(".wh.same"),
        kit.member(".wh..wh.plnk", "5"),
    )
    assert sorted(tree(kit.target)) == [
        "a",
        "a/keep",
        "opaque",
        "opaque/new",
        "opaque/new/fresh",
        "same",
    ]


def test_owners_are_noted_where_they_cannot_be_given(kit: Any) -> None:
    kit.apply(
        kit.member("f", uid=33, gid=34),
        kit.member("r", uid=0, gid=0),
        kit.member("d/", "5", uid=1, gid=2),
        kit.member("d/", "5", uid=0, gid=0),
        kit.member("e/", "5", uid=1, gid=2),
        owners=False,
    )
    noted = {name: os.listxattr(kit.target / name) for name in ("f", "r", "d", "e")}
    if noted == {"f": [], "r": [], "d": [], "e": []}:
        pytest.skip("no user xattrs on this file system")
    assert os.getxattr(kit.target / "f", "user.wherry.owner") == b"33:34"
    assert os.getxattr(kit.target / "e", "user.wherry.owner") == b"1:2"
    assert noted["r"] == noted["d"] == []
    assert os.stat(kit.target / "f").st_uid == os.geteuid()


def test_xattrs_are_set_and_those_of_overlayfs_and_ours_are_not(kit: Any) -> None:
    headers = {
        "SCHILY.xattr.user.mine": "value",
        "SCHILY.xattr.user.overlay.opaque": "y",
        "SCHILY.xattr.trusted.overlay.redirect": "/etc",
        "SCHILY.xattr.user.wherry.owner": "1:1",
    }
    applied = kit.apply(
        kit.member("f", pax_headers=headers), kit.member("d/", "5", pax_headers=headers)
    )
    if applied.skipped:
        pytest.skip("no user xattrs on this file system")
    assert os.listxattr(kit.target / "f") == os.listxattr(kit.target / "d") == ["user.mine"]


def test_what_cannot_be_set_is_told(kit: Any) -> None:
    headers = {"SCHILY.xattr.nonsense.space": "value"}
    applied = kit.apply(kit.member("f", pax_headers=headers), kit.member("g"))
    assert applied.skipped_count == 1
    assert applied.skipped[0].startswith("f: xattr nonsense.space")
    assert (kit.target / "g").exists()


def test_a_huge_sparse_file_is_refused_by_the_kernel_not_by_memory(kit: Any) -> None:
    headers = {"GNU.sparse.map": f"0,1,{(1 << 62)},1", "GNU.sparse.size": str((1 << 62) + 1)}
    with pytest.raises(BrokenArchive):
        kit.apply(kit.member("f", content=b"xy", pax_headers=headers))


ODD = st.sampled_from([b"\x80" + b"\xff" * 11, b"../x" + bytes(99), b"S", b"Z", b"x", b"L", b"g"])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_a_header_says_it_is_unpacked_or_refused(kit: Any, data: st.DataObject) -> None:
    """Fields replaced by others, with a right checksum; no error but ours, nothing outside."""
    m = kit.member
    headers = {"SCHILY.xattr.user.x": "v" * 20, "path": "p" * 110}
    raw = kit.archive(
        m("d/", "5"),
        m("d/f", content=b"x" * 700),
        m("l", "1", linkname="d/f"),
        m("q", pax_headers=headers),
    )
    at = data.draw(
        st.sampled_from([n for n in range(0, len(raw), 512) if raw[n + 257 : n + 262] == b"ustar"])
    )
    block = bytearray(raw[at : at + 512])
    for start, width in data.draw(
        st.lists(
            st.sampled_from(
                [
                    (0, 100),
                    (100, 8),
                    (108, 8),
                    (116, 8),
                    (124, 12),
                    (136, 12),
                    (156, 1),
                    (157, 100),
                    (329, 8),
                    (337, 8),
                    (345, 155),
                ]
            ),
            max_size=3,
        )
    ):
        value = data.draw(st.one_of(st.binary(min_size=width, max_size=width), ODD))
        value = value[:width].ljust(width, b"\0")
        block[start : start + width] = value
    block[148:156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 256)
    try:
        kit.apply(raw[:at] + bytes(block) + raw[at + 512 :])
    except WherryError as error:
        assert str(error)
    kit.assert_outside_untouched()


@pytest.mark.parametrize(
    "headers",
    [
        {"SCHILY.xattr.user.a\0b": "x"},
        {"SCHILY.xattr.user." + "n" * 300: "x"},
        {"SCHILY.xattr.user.big": "v" * 100_000},
        {"GNU.sparse.map": "0,0", "GNU.sparse.size": "9" * 20},
        {"GNU.sparse.map": "9" * 20 + ",0", "GNU.sparse.size": "9" * 20},
        {"size": "9" * 20},
        {"mtime": "9" * 20},
        {"uid": "9" * 20},
        {"path": "a\0b"},
    ],
    ids=lambda headers: next(iter(headers))[:30],
)
def test_absurd_extended_headers(kit: Any, headers: dict[str, str]) -> None:
    try:
        applied = kit.apply(kit.member("f", pax_headers=headers))
    except BrokenArchive as error:
        assert str(error)
    else:
        assert applied.skipped_count == 1 or "mtime" in headers


def test_a_limit_of_the_file_size_is_told_with_the_name(kit: Any) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(WherryError, match="cannot unpack 'big'"):
            kit.apply(kit.member("big", content=bytes(200_000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_stream_that_fails_is_not_the_layers_fault(kit: Any) -> None:
    class Failing:
        def read(self, size: int) -> bytes:
            raise OSError(5, "Input/output error")

    from wherry.layer.apply import apply

    with pytest.raises(Unavailable, match="cannot be read"):
        apply(Failing(), str(kit.target), whiteouts="copy", owners=False)  # type: ignore[arg-type]


def test_descriptors_are_closed(kit: Any) -> None:
    before = os.listdir("/proc/self/fd")
    kit.apply(*(kit.member(f"d{n}/f") for n in range(50)))
    with pytest.raises(BrokenArchive):
        kit.apply(kit.member("x/f"), kit.member("../f"))
    assert os.listdir("/proc/self/fd") == before


def test_sync(tmp_path: Path) -> None:
    sync(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        sync(str(tmp_path / "missing"))
