import io
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.layer import diff
from wherry.layer.apply import apply
from wherry.linux.tree import remove_path

Tree = Callable[[Path], dict[str, Any]]
OWNERS = os.geteuid() == 0

names = st.sampled_from(["a", "b", ".dot", "ü", "n" * 101])
leaf = st.one_of(
    st.tuples(
        st.just("file"), st.sampled_from([b"", b"x", b"y" * 600]), st.sampled_from([0o644, 0o755])
    ),
    st.tuples(st.just("link"), st.sampled_from(["a", "../b", "/" + "t" * 101]), st.just(0)),
)
trees = st.recursive(
    leaf,
    lambda inner: st.tuples(
        st.just("dir"), st.dictionaries(names, inner, max_size=4), st.sampled_from([0o755, 0o700])
    ),
    max_leaves=12,
).filter(lambda node: node[0] == "dir")


def build(path: Path, node: Any, time: int = 1000) -> None:
    kind, content, mode = node
    if kind == "dir":
        path.mkdir(exist_ok=True)
        for name, inner in content.items():
            build(path / name, inner, time)
        path.chmod(mode)
    elif kind == "file":
        path.write_bytes(content)
        path.chmod(mode)
    else:
        path.symlink_to(content)
    os.utime(path, (time, time), follow_symlinks=False)


def layer(upper: Path, lowers: tuple[str, ...], **options: Any) -> tuple[bytes, diff.Written]:
    sink = io.BytesIO()
    written = diff.write(sink, str(upper), lowers, "copy", **options)
    return sink.getvalue(), written


@settings(deadline=None)
@given(trees, trees)
def test_a_diff_applied_to_the_old_tree_gives_the_new_one(
    tmp_path_factory: Any, old: Any, new: Any
) -> None:
    folder = tmp_path_factory.mktemp("diff")
    build(folder / "old", old, 1000)
    build(folder / "new", new, 2000)
    data, written = layer(folder / "new", (str(folder / "old"),))
    applied = apply(io.BytesIO(data), str(folder / "old"), whiteouts="copy", owners=OWNERS)
    assert (applied.diff_id, applied.diff_size) == (written.diff_id, written.diff_size)
    assert (applied.digest, applied.size) == (written.digest, len(data))
    assert list(diff.changes(str(folder / "old"), (str(folder / "new"),), "copy")) == []


def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    node = ("dir", dict.fromkeys("zyxabc", ("file", b"x", 420)), 0o755)
    build(tmp_path / "one", node)
    build(tmp_path / "two", node)
    assert layer(tmp_path / "one", ()) == layer(tmp_path / "two", ())


def test_changes_as_docker_lists_them(tmp_path: Path) -> None:
    for root in ("old", "new"):
        for name in ("etc/keep", "etc/mod", "etc/gone", "var/lib/gone/x", "bin"):
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("same")
            os.utime(path, (1000, 1000))
    (tmp_path / "new/etc/mod").write_text("other")
    (tmp_path / "new/etc/gone").unlink()
    shutil.rmtree(tmp_path / "new/var/lib/gone")
    (tmp_path / "new/opt/deep").mkdir(parents=True)
    changes = diff.changes(str(tmp_path / "new"), (str(tmp_path / "old"),), "copy")
    assert [(change.kind, change.path) for change in changes] == [
        (0, "/etc"),
        (2, "/etc/gone"),
        (0, "/etc/mod"),
        (1, "/opt"),
        (1, "/opt/deep"),
        (0, "/var"),
        (0, "/var/lib"),
        (2, "/var/lib/gone"),
    ]


def test_hard_links_sockets_holes_and_noted_owners(tmp_path: Path, kit: Any) -> None:
    upper = tmp_path / "upper"
    upper.mkdir()
    (upper / "a").write_bytes(b"linked")
    os.link(upper / "a", upper / "b")
    with open(upper / "holes", "wb") as file:
        file.seek(3_000_000)
        file.write(b"end")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(upper / "socket"))
    noted = True
    try:
        os.setxattr(upper / "a", "user.wherry.owner", b"12:34")
    except OSError:
        noted = False
    data, _ = layer(upper, (), compression="none")
    applied = kit.apply(data, owners=False)
    assert sorted(os.listdir(kit.target)) == ["a", "b", "holes"]
    assert os.path.samefile(kit.target / "a", kit.target / "b")
    assert (kit.target / "holes").read_bytes() == bytes(3_000_000) + b"end"
    if noted:
        assert os.getxattr(kit.target / "a", "user.wherry.owner") == b"12:34"
    assert applied.skipped == ()


def test_a_tree_deeper_than_the_limit_of_open_files(tmp_path: Path) -> None:
    upper = tmp_path / "upper"
    upper.mkdir()
    here = os.open(upper, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    assert sum(1 for _ in diff.changes(str(upper), (), "copy")) == 1500
    assert layer(upper, ())[1].entries == 1501
    remove_path(str(upper))
    assert not upper.exists()
