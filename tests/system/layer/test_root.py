"""What only root can see: owners, devices, capabilities, whiteouts as the kernel reads them."""

import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from wherry.kit.errors import Unavailable
from wherry.layer import diff
from wherry.layer.apply import Applied, apply
from wherry.linux.mount import MNT_DETACH, mount, umount2
from wherry.linux.tree import remove_path, remove_tree, usage

pytestmark = pytest.mark.root

CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")  # cap_net_raw+ep


@pytest.fixture(autouse=True)
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")


def archive(*members: tarfile.TarInfo, content: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info in members:
            info.size = len(content) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def info(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def unpack(data: bytes, target: Path, **options: object) -> Applied:
    target.mkdir(exist_ok=True)
    merged = {"whiteouts": "trusted", "owners": True} | options
    return apply(io.BytesIO(data), str(target), **merged)  # type: ignore[arg-type]


def test_owners_set_id_bits_capabilities_and_devices(tmp_path: Path) -> None:
    headers = {"SCHILY.xattr.security.capability": CAPABILITY.decode("utf-8", "surrogateescape")}
    members = (
        info("dir", tarfile.DIRTYPE, uid=1, gid=2, mode=0o2775),
        info("dir/suid", uid=3, gid=4, mode=0o6755, pax_headers=headers),
        info("dir/link", tarfile.SYMTYPE, uid=5, gid=6, linkname="suid"),
        info("dir/null", tarfile.CHRTYPE, uid=7, gid=8, mode=0o666, devmajor=1, devminor=3),
        info("dir/disk", tarfile.BLKTYPE, mode=0o660, devmajor=7, devminor=9),
        info("dir/pipe", tarfile.FIFOTYPE, uid=9, mode=0o600),
        info("big", uid=2_000_000_000, gid=3_000_000_000),
    )
    before = os.umask(0o027)
    try:
        applied = unpack(archive(*members), tmp_path / "one")
    finally:
        os.umask(before)
    assert applied.skipped == ()
    sink = io.BytesIO()
    diff.write(sink, str(tmp_path / "one"), (), "trusted")
    unpack(sink.getvalue(), tmp_path / "two")
    for root in (tmp_path / "one", tmp_path / "two"):
        found = {
            name: (oct(status.st_mode), status.st_uid, status.st_gid, status.st_rdev)
            for name in ("dir", "dir/suid", "dir/link", "dir/null", "dir/disk", "dir/pipe", "big")
            for status in [os.lstat(root / name)]
        }
        assert found == {
            "dir": ("0o42775", 1, 2, 0),
            "dir/suid": ("0o106755", 3, 4, 0),
            "dir/link": ("0o120777", 5, 6, 0),
            "dir/null": ("0o20666", 7, 8, os.makedev(1, 3)),
            "dir/disk": ("0o60660", 0, 0, os.makedev(7, 9)),
            "dir/pipe": ("0o10600", 9, 0, 0),
            "big": ("0o100644", 2_000_000_000, 3_000_000_000, 0),
        }
        assert os.getxattr(root / "dir/suid", "security.capability") == CAPABILITY


def test_noted_owners_come_back_as_owners(tmp_path: Path) -> None:
    data = archive(
        info("d", tarfile.DIRTYPE, uid=1, gid=2, mode=0o755), info("d/f", uid=33, gid=34)
    )
    unpack(data, tmp_path / "one", owners=False)
    assert os.lstat(tmp_path / "one/d/f").st_uid == 0
    sink = io.BytesIO()
    diff.write(sink, str(tmp_path / "one"), (), "trusted")
    unpack(sink.getvalue(), tmp_path / "two")
    status = os.lstat(tmp_path / "two/d/f")
    assert (status.st_uid, status.st_gid) == (33, 34)
    assert os.lstat(tmp_path / "two/d").st_gid == 2
    assert os.listxattr(tmp_path / "two/d/f") == []


def test_whiteouts_are_what_the_kernel_wants(tmp_path: Path) -> None:
    members = (info("d/.wh..wh..opq"), info("d/f"), info(".wh.gone"))
    unpack(archive(*members), tmp_path / "upper")
    status = os.lstat(tmp_path / "upper/gone")
    assert stat.S_ISCHR(status.st_mode)
    assert status.st_rdev == 0
    assert os.getxattr(tmp_path / "upper/d", "trusted.overlay.opaque") == b"y"


def test_without_mknod_devices_are_told_and_the_rest_is_there(tmp_path: Path) -> None:
    data = archive(
        info("null", tarfile.CHRTYPE, devmajor=1, devminor=3),
        info("file"),
        info(".wh.gone"),
        content=b"x",
    )
    (tmp_path / "blob").write_bytes(data)
    program = (
        "import sys\n"
        "from wherry.layer.apply import apply\n"
        "a = apply(open(sys.argv[1], 'rb'), sys.argv[2], whiteouts='user', owners=False)\n"
        "print(a.skipped_count, a.skipped[0])\n"
    )
    target = tmp_path / "target"
    target.mkdir()
    for path in (tmp_path, target):
        os.chown(path, 65533, 65533)
    (tmp_path / "blob").chmod(0o644)
    reachable = [path for path in tmp_path.parents if path.stat().st_mode & 0o005 != 0o005]
    for path in reachable:
        path.chmod(0o755)
    command = ["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups", "unshare", "-Ur"]
    python = str(Path(__file__).parents[3] / ".venv/bin/python")
    done = subprocess.run(
        [*command, python, "-c", program, str(tmp_path / "blob"), str(target)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare failed" in done.stderr:
        pytest.skip("user namespaces are forbidden here")
    assert done.stdout == "1 null: device 1:3 (needs CAP_MKNOD)\n", done.stderr
    assert sorted(os.listdir(target)) == ["file", "gone"]
    assert stat.S_ISCHR(os.lstat(target / "gone").st_mode)


def test_a_full_disk_is_told_with_advice(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("tmpfs", str(disk), "tmpfs", 0, "size=1m")
    try:
        with pytest.raises(Unavailable, match=r"'big': No space left on device; free some space"):
            unpack(archive(info("small"), info("big"), content=bytes(600_000)), disk / "target")
    finally:
        umount2(str(disk), MNT_DETACH)


def test_a_mount_in_a_tree_is_not_emptied(tmp_path: Path) -> None:
    inner = tmp_path / "tree/a/mounted"
    inner.mkdir(parents=True)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    mount(str(precious), str(inner), None, 0x1000)
    parent = os.open(tmp_path, os.O_PATH)
    try:
        with pytest.raises(OSError) as caught:
            remove_tree(parent, "tree")
        assert caught.value.errno == 16
        assert (precious / "file").read_text() == "x"
    finally:
        umount2(str(inner), MNT_DETACH)
    remove_tree(parent, "tree")
    os.close(parent)
    assert os.listdir(tmp_path) == ["precious"]


def test_a_root_on_a_file_system_of_its_own(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("tmpfs", str(disk), "tmpfs", 0, "size=1m")
    try:
        unpack(archive(info("d/f")), disk / "upper")
        assert list(diff.changes(str(disk / "upper"), (), "trusted")) == [("/d", 1), ("/d/f", 1)]
        assert usage(str(disk / "upper")).inodes == usage(str(disk)).inodes - 1 == 3
        remove_path(str(disk / "upper"))
        assert os.listdir(disk) == []
    finally:
        umount2(str(disk), MNT_DETACH)
