import io
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wherry.kit.errors import InvalidInput, NotFound
from wherry.layer import archive
from wherry.layer.errors import BrokenArchive, NotReplaceable

Tree = Callable[[Path], dict[str, Any]]
OWNERS = os.geteuid() == 0


class Root:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_PATH)

    def names(self, path: str) -> list[str]:
        data = b"".join(archive.read(self.fd, path))
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            return [member.name + ("/" if member.isdir() else "") for member in tar]

    def write(self, path: str, data: bytes, **options: Any) -> tuple[str, ...]:
        options.setdefault("owners", OWNERS)
        return archive.write(self.fd, path, io.BytesIO(data), archive.Unpacking(**options))


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    path = tmp_path / "root"
    (path / "etc/sub").mkdir(parents=True)
    (path / "etc/file").write_text("content")
    (path / "etc/sub/deep").write_text("deep")
    (path / "link").symlink_to("/etc")
    (path / "chain").symlink_to("link/sub/../file")
    (path / "broken").symlink_to("link/nothing/here")
    (path / "out").symlink_to("../../../../../../outside")
    (path / "round").symlink_to("/round2")
    (path / "round2").symlink_to("round")
    made = Root(path)
    yield made
    os.close(made.fd)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/etc/file", ["file"]),
        ("etc/file", ["file"]),
        ("/etc", ["etc/", "etc/file", "etc/sub/", "etc/sub/deep"]),
        ("/etc/", ["etc/", "etc/file", "etc/sub/", "etc/sub/deep"]),
        ("/etc/.", ["./", "./file", "./sub/", "./sub/deep"]),
        ("/link", ["link"]),
        ("/link/", ["link/", "link/file", "link/sub/", "link/sub/deep"]),
        ("/link/sub", ["sub/", "sub/deep"]),
        ("/etc/sub/../sub/deep", ["deep"]),
    ],
)
def test_names_follow_the_path(root: Root, path: str, names: list[str]) -> None:
    assert root.names(path) == [
        name.rstrip("/") + ("/" if name.endswith("/") else "") for name in names
    ]


@pytest.mark.parametrize(
    ("path", "name", "target"),
    [
        ("/etc", "etc", ""),
        ("/link", "link", "/etc"),
        ("/link/", "link", ""),
        ("/link/.", ".", ""),
        ("/chain", "chain", "/etc/file"),
        ("/broken", "broken", "/etc/nothing/here"),
        ("/out", "out", "/outside"),
        ("/", "/", ""),
    ],
)
def test_stat(root: Root, path: str, name: str, target: str) -> None:
    found = archive.stat(root.fd, path)
    assert (found.name, found.link_target) == (name, target)
    real = os.lstat(root.path / path.strip("/")) if not path.endswith(("/", ".")) else None
    if real is not None:
        assert (found.size, found.mtime) == (real.st_size, real.st_mtime_ns)


def test_what_is_not_there(root: Root) -> None:
    for call in (archive.stat, archive.read):
        with pytest.raises(NotFound, match="nothing"):
            call(root.fd, "/etc/nothing")
        with pytest.raises(InvalidInput, match="not a directory"):
            call(root.fd, "/etc/file/.")
    with pytest.raises(InvalidInput, match="too many symbolic links"):
        archive.stat(root.fd, "/round")
    with pytest.raises(NotFound):
        root.write("/nothing", b"")
    with pytest.raises(InvalidInput, match="not a directory"):
        root.write("/etc/file", b"")


def test_a_copy_out_and_in_again_is_the_same(root: Root, tree: Tree) -> None:
    (root.path / "copy").mkdir()
    data = b"".join(archive.read(root.fd, "/etc/."))
    assert root.write("/copy", data) == ()
    assert tree(root.path / "copy") == tree(root.path / "etc")
    assert os.stat(root.path / "copy/file").st_mtime == int(
        os.stat(root.path / "etc/file").st_mtime
    )


def test_links_are_resolved_in_the_root(root: Root, kit: Any) -> None:
    (root.path / "data").mkdir()
    (root.path / "data/way").symlink_to("/etc")
    root.write("/data", kit.archive(kit.member("way/new", content=b"x")))
    root.write("/link", kit.archive(kit.member("newer", content=b"y")))
    assert (root.path / "etc/new").read_bytes() == b"x"
    assert (root.path / "etc/newer").read_bytes() == b"y"


def test_nothing_outside_is_written_or_read(root: Root, kit: Any) -> None:
    (root.path / "esc").symlink_to(kit.outside)
    (root.path / "abs").symlink_to(kit.outside / "secret")
    with pytest.raises(NotFound):
        root.write("/esc", kit.archive(kit.member("new")))
    with pytest.raises(BrokenArchive):
        root.write("/etc", kit.archive(kit.member("../../outside/new")))
    assert root.names("/abs") == ["abs"]
    with pytest.raises(NotFound):
        archive.read(root.fd, "/esc/secret")
    kit.assert_outside_untouched()


def test_kinds_are_kept_where_asked(root: Root, kit: Any) -> None:
    file_over_folder = kit.archive(kit.member("etc"))
    folder_over_file = kit.archive(kit.member("file/", "5"))
    with pytest.raises(NotReplaceable, match="cannot overwrite directory"):
        root.write("/", file_over_folder, no_overwrite_dir_non_dir=True)
    with pytest.raises(NotReplaceable, match="cannot overwrite non-directory"):
        root.write("/etc", folder_over_file, no_overwrite_dir_non_dir=True)
    root.write("/etc", folder_over_file)
    assert (root.path / "etc/file").is_dir()
    root.write("/", file_over_folder)
    assert (root.path / "etc").is_file()


def test_whiteouts_are_ordinary_names_here(root: Root, kit: Any) -> None:
    root.write("/etc", kit.archive(kit.member(".wh.file"), kit.member(".wh..wh..opq")))
    assert sorted(os.listdir(root.path / "etc")) == [".wh..wh..opq", ".wh.file", "file", "sub"]


@pytest.mark.skipif(not OWNERS, reason="chown needs root")
def test_owners(root: Root, kit: Any) -> None:
    data = kit.archive(kit.member("f", uid=7, gid=8))
    root.write("/etc", data)
    assert (os.stat(root.path / "etc/f").st_uid, os.stat(root.path / "etc/f").st_gid) == (7, 8)
    root.write("/etc", data, copy_uid_gid=(5, 6))
    assert (os.stat(root.path / "etc/f").st_uid, os.stat(root.path / "etc/f").st_gid) == (5, 6)


def test_a_hostile_container_that_swaps_a_directory_for_a_link(root: Root, kit: Any) -> None:
    """rename(2) as fast as possible, while we write below the name and read below it."""
    work = root.path / "work"
    (work / "real").mkdir(parents=True)
    (work / "evil").symlink_to(kit.outside)
    stop = threading.Event()

    def swap() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            try:
                os.rename(work / "real", work / "aside")
                os.symlink(kit.outside, work / "real")
                os.unlink(work / "real")
                os.rename(work / "aside", work / "real")
            except OSError:  # the writer has made the directory anew in between
                os.rename(work / "aside", work / f"aside{turn}")

    thread = threading.Thread(target=swap)
    thread.start()
    data = kit.archive(*(kit.member(f"work/real/{n}/f", content=b"mine") for n in range(20)))
    try:
        for _ in range(60):
            try:
                root.write("/", data)
                for piece in archive.read(root.fd, "/work"):
                    assert b"secret" not in piece.replace(str(kit.outside).encode(), b"").replace(
                        b"outside/secret", b""
                    )
            except (BrokenArchive, NotFound, InvalidInput, OSError):
                continue
    finally:
        stop.set()
        thread.join()
    kit.assert_outside_untouched()


def test_descriptors_are_closed_also_when_a_reader_stops_early(root: Root) -> None:
    before = os.listdir("/proc/self/fd")
    for path in ("/etc", "/etc/file", "/link"):
        stream = archive.read(root.fd, path)
        next(stream)
        stream.close()  # type: ignore[attr-defined]
    with pytest.raises(NotFound):
        archive.read(root.fd, "/nothing")
    assert os.listdir("/proc/self/fd") == before
