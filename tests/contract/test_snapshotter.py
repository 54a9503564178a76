"""One suite for all snapshotters: overlay as root, overlay in a user namespace, copies.

Mounts are detached ones (fsmount(2)): they leave with their descriptor, whatever fails. The
user-namespace form is this file again, run inside `unshare`.
"""

import contextlib
import io
import os
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wherry.kit.errors import Conflict, InvalidInput, NotFound, Unsupported
from wherry.layer import diff
from wherry.layer.apply import apply
from wherry.linux.mount import Mount, detached
from wherry.linux.namespace import in_user_namespace
from wherry.linux.tree import remove_path
from wherry.snapshot.choose import choose, overlay_fault
from wherry.snapshot.copydir import CopyDir
from wherry.snapshot.overlay import Overlay, lower_options
from wherry.snapshot.snapshotter import Snapshotter

IN_USER_NAMESPACE = in_user_namespace()
PLAIN_ID = 65533


def make(kind: str, root: Path) -> Snapshotter:
    if kind == "copy":
        return CopyDir(str(root))
    return Overlay(str(root), IN_USER_NAMESPACE)


@pytest.fixture(params=["overlay", "copy"])
def kind(request: Any, tmp_path: Path) -> str:
    if request.param == "overlay":
        fault = overlay_fault(str(tmp_path), IN_USER_NAMESPACE)
        if fault:
            pytest.skip(f"no overlayfs: {fault}")
    name: str = request.param
    return name


@pytest.fixture
def snapshots(kind: str, tmp_path: Path) -> Snapshotter:
    """Its root is reached through a link, as /var/lib/wherry often is."""
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to("real")
    return make(kind, tmp_path / "root")


@contextlib.contextmanager
def mounted(mounts: tuple[Mount, ...]) -> Iterator[Path]:
    """The tree as a container would see it. Binds are used as they are where mount is forbidden."""
    (mount,) = mounts
    try:
        tree = detached(mount)
    except PermissionError:
        if mount.fstype != "bind":
            raise
        yield Path(mount.source)
        return
    try:
        yield Path(f"/proc/self/fd/{tree}")
    finally:
        os.close(tree)


def layer(*members: tuple[str, str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, flag, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.mtime = flag.encode(), 1000
            info.mode = 0o755 if flag == "5" else 0o644
            if flag == "2":
                info.linkname = content.decode()
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def add_layer(snapshots: Snapshotter, name: str, parent: str | None, data: bytes) -> None:
    snapshots.prepare(f"unpack-{name}", parent)
    lowers = snapshots.difference(f"unpack-{name}").lowers
    target = snapshots.fill(f"unpack-{name}")
    apply(
        io.BytesIO(data),
        target,
        whiteouts=snapshots.style,
        owners=os.geteuid() == 0 and not IN_USER_NAMESPACE,
        lowers=lowers,
    )
    snapshots.commit(name, f"unpack-{name}")


BASE = layer(
    ("etc/", "5", b""),
    ("etc/passwd", "0", b"root"),
    ("etc/old", "0", b"old"),
    ("lib", "2", b"usr/lib"),
    ("opt/", "5", b""),
    ("opt/a/", "5", b""),
    ("opt/a/deep/", "5", b""),
    ("opt/a/deep/file", "0", b"x"),
    ("opt/b", "0", b"b"),
    ("usr/lib/", "5", b""),
    ("usr/lib/so", "0", b"so"),
)
SECOND = layer(
    ("etc/.wh.old", "0", b""),
    ("etc/new", "0", b"new"),
    ("opt/.wh..wh..opq", "0", b""),
    ("opt/c", "0", b"c"),
)


@pytest.fixture
def stacked(snapshots: Snapshotter) -> Snapshotter:
    add_layer(snapshots, "base", None, BASE)
    add_layer(snapshots, "second", "base", SECOND)
    return snapshots


def seen(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            status = path.lstat()
            content: Any = None
            if path.is_symlink():
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = path.read_bytes()
            found[str(path.relative_to(root))] = (oct(status.st_mode), content)
    return found


def test_layers_are_stacked_and_whiteouts_hide(stacked: Snapshotter) -> None:
    with mounted(stacked.view("look", "second")) as root:
        assert sorted(seen(root)) == [
            "etc",
            "etc/new",
            "etc/passwd",
            "lib",
            "opt",
            "opt/c",
            "usr",
            "usr/lib",
            "usr/lib/so",
        ]
    with mounted(stacked.view("below", "base")) as root:
        assert (root / "etc/old").read_bytes() == b"old"
        assert (root / "opt/a/deep/file").exists()


def test_a_view_is_read_only(stacked: Snapshotter) -> None:
    (mount,) = stacked.view("look", "second")
    assert "ro" in mount.options
    with mounted((mount,)) as root:
        if str(root) == mount.source:
            pytest.skip("mount is forbidden here")
        with pytest.raises(OSError, match="Read-only"):
            (root / "new").write_text("x")
    with pytest.raises(Conflict):
        stacked.fill("look")
    with pytest.raises(Conflict):
        stacked.commit("name", "look")


def change_everything(root: Path) -> None:
    """What a container does."""
    (root / "etc/passwd").write_text("changed")
    (root / "etc/new").unlink()
    shutil.rmtree(root / "usr/lib")
    (root / "usr/lib").mkdir()
    (root / "usr/lib/other").write_text("other")
    (root / "opt/c").unlink()
    (root / "opt/c").mkdir()
    (root / "opt/c/inside").write_text("c")
    (root / "lib").unlink()
    (root / "lib").symlink_to("opt")
    (root / "created/deep").mkdir(parents=True)
    (root / "created/deep/f").write_text("f")
    os.link(root / "created/deep/f", root / "created/hard")
    os.mkfifo(root / "created/pipe")


def test_a_containers_changes_are_listed_as_docker_does(stacked: Snapshotter) -> None:
    with mounted(stacked.prepare("container", "second")) as root:
        change_everything(root)
        os.utime(root / "usr")
    changes = [(each.kind, each.path) for each in diff.changes(*stacked.difference("container"))]
    assert changes == [
        (1, "/created"),
        (1, "/created/deep"),
        (1, "/created/deep/f"),
        (1, "/created/hard"),
        (1, "/created/pipe"),
        (0, "/etc"),
        (2, "/etc/new"),
        (0, "/etc/passwd"),
        (0, "/lib"),
        (0, "/opt"),
        (0, "/opt/c"),
        (1, "/opt/c/inside"),
        (0, "/usr"),
        (0, "/usr/lib"),
        (1, "/usr/lib/other"),
        (2, "/usr/lib/so"),
    ]


def test_nothing_changed_is_an_empty_list(stacked: Snapshotter) -> None:
    with mounted(stacked.prepare("container", "second")) as root:
        (root / "etc/passwd").read_bytes()
    assert list(diff.changes(*stacked.difference("container"))) == []


def test_a_committed_container_is_the_same_tree_again(stacked: Snapshotter) -> None:
    with mounted(stacked.prepare("container", "second")) as root:
        change_everything(root)
        wanted = seen(root)
    sink = io.BytesIO()
    written = diff.write(sink, *stacked.difference("container"))
    add_layer(stacked, "third", "second", sink.getvalue())
    with mounted(stacked.view("look", "third")) as root:
        assert seen(root) == wanted
        assert os.path.samefile(root / "created/hard", root / "created/deep/f")
    again = io.BytesIO()
    assert diff.write(again, *stacked.difference("container")) == written


def test_whiteouts_and_members_of_one_layer_in_any_order(stacked: Snapshotter) -> None:
    data = layer(
        ("etc/.wh.passwd", "0", b""),
        ("etc/passwd", "0", b"again"),
        ("usr/.wh.lib", "0", b""),
        ("usr/lib/", "5", b""),
        ("usr/lib/fresh", "0", b"1"),
        ("opt/c", "0", b"c2"),
        ("opt/.wh.c", "0", b""),
        ("etc/dir/", "5", b""),
        ("etc/.wh.dir", "0", b""),
    )
    add_layer(stacked, "third", "second", data)
    with mounted(stacked.view("look", "third")) as root:
        found = seen(root)
    assert found["etc/passwd"][1] == b"again"
    assert found["opt/c"][1] == b"c2"
    assert "etc/dir" in found
    assert sorted(path for path in found if path.startswith("usr/lib")) == [
        "usr/lib",
        "usr/lib/fresh",
    ]


def test_lower_directories_can_be_removed_and_made_again(stacked: Snapshotter) -> None:
    """Without userxattr this says EIO in a user namespace."""
    with mounted(stacked.prepare("container", "base")) as root:
        shutil.rmtree(root / "opt")
        assert not (root / "opt").exists()
        (root / "opt").mkdir()
        assert os.listdir(root / "opt") == []


def test_the_roots_mode_is_the_parents(snapshots: Snapshotter) -> None:
    add_layer(snapshots, "base", None, layer(("./", "5", b""), ("f", "0", b"")))
    os.chmod(snapshots.fill(snapshots_key(snapshots)), 0o711)
    snapshots.commit("odd", "odd-key")
    with mounted(snapshots.prepare("container", "odd")) as root:
        assert stat.S_IMODE(os.stat(root).st_mode) == 0o711


def snapshots_key(snapshots: Snapshotter) -> str:
    snapshots.prepare("odd-key", "base")
    return "odd-key"


def test_a_layer_unpacked_before_its_place_was_known(
    stacked: Snapshotter, kind: str, tmp_path: Path
) -> None:
    stacked.prepare("early", None)
    Path(stacked.fill("early"), "new").write_text("n")
    if kind == "copy":
        with pytest.raises(Unsupported):
            stacked.adopt("early", "second", like_parent=True)
        assert stacked.stat("early").parent is None
        return
    for parent, error in (("missing", NotFound), ("early", Conflict)):
        with pytest.raises(error):
            stacked.adopt("early", parent, like_parent=True)
    os.chmod(Path(stacked.difference("second").upper), 0o711)
    stacked.adopt("early", "second", like_parent=True)
    with pytest.raises(Conflict, match="its place already"):
        stacked.adopt("early", "base", like_parent=True)
    stacked.commit("third", "early")
    with pytest.raises(Conflict):
        stacked.adopt("third", "base", like_parent=False)
    reopened = make(kind, tmp_path / "root")
    assert reopened.stat("third").parent == "second"
    with mounted(reopened.prepare("container", "third")) as root:
        assert stat.S_IMODE(os.stat(root).st_mode) == 0o711
        assert {"new", "etc/new", "opt/c"} < seen(root).keys()
    with pytest.raises(Conflict, match="based on it"):
        reopened.remove("second")


def test_an_early_layer_with_a_root_of_its_own_keeps_it(stacked: Snapshotter, kind: str) -> None:
    if kind == "copy":
        pytest.skip("full copies take no early layers")
    stacked.prepare("early", None)
    os.chmod(stacked.fill("early"), 0o701)
    stacked.adopt("early", "base", like_parent=False)
    with mounted(stacked.mounts("early")) as root:
        assert stat.S_IMODE(os.stat(root).st_mode) == 0o701
        assert (root / "etc/old").read_bytes() == b"old"


def test_125_layers(snapshots: Snapshotter, kind: str) -> None:
    parent = None
    for number in range(125):
        add_layer(snapshots, f"sha256:{number:064d}", parent, layer((f"f{number}", "0", b"x")))
        parent = f"sha256:{number:064d}"
    with mounted(snapshots.prepare("container", parent)) as root:
        assert len(os.listdir(root)) == 125
        (root / "f0").unlink()
    assert [tuple(each) for each in diff.changes(*snapshots.difference("container"))] == [
        ("/f0", 2)
    ]


def test_names(stacked: Snapshotter) -> None:
    with pytest.raises(Conflict, match="already exists"):
        stacked.prepare("second", "base")
    with pytest.raises(NotFound):
        stacked.prepare("x", "missing")
    stacked.prepare("active", "base")
    with pytest.raises(Conflict, match="cannot be a parent"):
        stacked.prepare("x", "active")
    with pytest.raises(Conflict):
        stacked.commit("second", "active")
    for call in (stacked.mounts, stacked.stat, stacked.usage, stacked.remove, stacked.fill):
        with pytest.raises(NotFound):
            call("missing")
    for name in ("", "a/b", "../x", ".", "a\0b", "x" * 300, "-x", "ü"):
        with pytest.raises(InvalidInput):
            stacked.prepare(name, None)
    with pytest.raises(InvalidInput):
        stacked.commit("a/b", "active")
    with pytest.raises(Conflict):
        stacked.mounts("second")


def test_stat_walk_and_reopening(stacked: Snapshotter, kind: str, tmp_path: Path) -> None:
    stacked.prepare("container", "second")
    stacked.view("look", "second")
    wanted = {
        ("base", None, "committed"),
        ("second", "base", "committed"),
        ("container", "second", "active"),
        ("look", "second", "view"),
    }
    again = make(kind, tmp_path / "root")
    assert (
        {tuple(info) for info in stacked.walk()} == {tuple(info) for info in again.walk()} == wanted
    )
    assert again.stat("container") == ("container", "second", "active")
    assert again.mounts("container") == stacked.mounts("container")
    again.prepare("other", "second")
    assert again.mounts("other") != again.mounts("container")


def test_remove(stacked: Snapshotter, tmp_path: Path) -> None:
    stacked.prepare("container", "second")
    for name, child in (("base", "second"), ("second", "container")):
        with pytest.raises(Conflict, match=child):
            stacked.remove(name)
    for key in ("container", "second", "base"):
        stacked.remove(key)
    assert list(stacked.walk()) == []
    assert os.listdir(tmp_path / "root/s") == []


def test_usage(snapshots: Snapshotter, kind: str) -> None:
    add_layer(snapshots, "base", None, layer(("big", "0", b"x" * 1_000_000), ("small", "0", b"x")))
    measured = snapshots.usage("base")
    assert 1_000_000 <= measured.bytes < 1_100_000
    assert measured.inodes == 3
    assert snapshots.usage("base") == measured
    snapshots.prepare("container", "base")
    expected = measured.inodes if kind == "copy" else 1
    assert snapshots.usage("container").inodes == expected
    snapshots.view("look", "base")
    assert snapshots.usage("look") == (0, 0)


def test_one_key_is_made_once(stacked: Snapshotter, tmp_path: Path) -> None:
    outcomes: list[str] = []

    def prepare() -> None:
        try:
            stacked.prepare("container", "second")
            outcomes.append("made")
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=prepare) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict"] * 7 + ["made"]
    assert len(os.listdir(tmp_path / "root/s")) == 3


CRASH = """
import sys
sys.path.insert(0, sys.argv[3])
from test_snapshotter import BASE, add_layer, make
from pathlib import Path
snapshots = make(sys.argv[1], Path(sys.argv[2]))
add_layer(snapshots, "crash", "base", BASE)
snapshots.remove("crash")
"""


@pytest.mark.parametrize("place", ["snapshot.add", "snapshot.commit", "snapshot.remove"])
def test_kill_at_any_point_leaves_old_or_new(kind: str, tmp_path: Path, place: str) -> None:
    root = tmp_path / "root"
    add_layer(make(kind, root), "base", None, BASE)
    environment = {**os.environ, "WHERRY_FAILPOINTS": f"{place}=kill"}
    command = [sys.executable, "-c", CRASH, kind, str(root), str(Path(__file__).parent)]
    done = subprocess.run(command, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    snapshots = make(kind, root)
    names = {info.name for info in snapshots.walk()}
    assert names - {"unpack-crash"} == {"base"}
    assert len(os.listdir(root / "s")) == len(names)
    assert snapshots.recover() == 0
    with mounted(snapshots.view("look", "base")) as tree:
        assert (tree / "etc/passwd").read_bytes() == b"root"
    if "unpack-crash" not in names:
        add_layer(snapshots, "crash", "base", BASE)


def test_choose_keeps_the_kind_that_is_in_use(kind: str, tmp_path: Path) -> None:
    first = choose(str(tmp_path / "root"), wanted=kind)
    assert first.name == kind
    add_layer(first.snapshotter, "base", None, BASE)
    again = choose(str(tmp_path / "root"))
    assert again.name == kind
    assert [info.name for info in again.snapshotter.walk()] == ["base"]
    assert [name for name in os.listdir(tmp_path / "root") if name.startswith("probe")] == []


def test_older_kernels_get_one_option() -> None:
    assert lower_options(["/a", "/b:c"], (6, 1)) == ("lowerdir=/a:/b\\:c",)
    assert lower_options(["/a", "/b:c"], (6, 7)) == ("lowerdir+=/a", "lowerdir+=/b:c")


def test_125_layers_on_an_older_kernel(kind: str, tmp_path: Path, monkeypatch: Any) -> None:
    """One option for all lower directories, as before 6.7: more than fsconfig(2) takes."""
    if kind == "copy":
        pytest.skip("no lower directories")
    monkeypatch.setattr("wherry.snapshot.overlay.kernel_version", lambda: (6, 1))
    snapshots = make(kind, tmp_path / ("long" * 10))
    test_125_layers(snapshots, kind)
    snapshots.view("look", "sha256:" + "124".rjust(64, "0"))
    with mounted(snapshots.mounts("look")) as root:
        assert len(os.listdir(root)) == 125
        with pytest.raises(OSError, match="Read-only"):
            (root / "new").write_text("x")


@pytest.mark.skipif(IN_USER_NAMESPACE, reason="this is the run inside")
def test_all_of_this_in_a_user_namespace(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or shutil.which("setpriv") is None:
        pytest.skip("needs unshare and setpriv (util-linux)")
    home = Path(f"/tmp/wherry-contract-{os.getpid()}")
    home.mkdir(0o777)
    home.chmod(0o777)
    command = ["unshare", "--user", "--map-root-user", "--mount"]
    if os.geteuid() == 0:
        ids = ["--reuid", str(PLAIN_ID), "--regid", str(PLAIN_ID), "--clear-groups"]
        command = ["setpriv", *ids, *command]
    pytest_options = ["-q", "-p", "no:cacheprovider", f"--basetemp={home}/tests"]
    command += [sys.executable, "-m", "pytest", *pytest_options, __file__]
    environment = {
        **os.environ,
        "HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        if subprocess.run(
            [*command[: command.index(sys.executable)], "true"], check=False
        ).returncode:
            pytest.skip("user namespaces are forbidden here")
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[2],
        )
        assert done.returncode == 0, done.stdout[-4000:]
        assert "no overlayfs" not in done.stdout
    finally:
        remove_path(
            str(home)
        )  # overlayfs leaves directories of mode 000, which rmtree cannot enter
