"""Which snapshotter works on a directory's file system, found out by trying."""

import os
import subprocess
import sys
from typing import NamedTuple

from wherry.kit.errors import Unsupported
from wherry.linux.mount import filesystem_type
from wherry.linux.namespace import in_user_namespace
from wherry.linux.tree import remove_path
from wherry.snapshot.copydir import CopyDir
from wherry.snapshot.overlay import Overlay
from wherry.snapshot.snapshotter import Snapshotter

NETWORK_FILESYSTEMS = {
    0x6969: "nfs",
    0x0BD00BD0: "lustre",
    0xFF534D42: "cifs",
    0xFE534D42: "smb2",
    0x00C36400: "ceph",
    0x01021997: "9p",
    0x5346414F: "afs",
    0x47504653: "gpfs",
    0x19830326: "fhgfs/beegfs",
}
"""Magic numbers (statfs(2)) of file systems that break locks, overlay or the ledger."""

_PROBE_SECONDS = 20


class Choice(NamedTuple):
    """The snapshotter, its name (`overlay` or `copy`), and why it is not the better one."""

    snapshotter: Snapshotter
    name: str
    reason: str


def choose(root: str, *, wanted: str | None = None) -> Choice:
    """Open the best snapshotter below `root`, or the wanted one (`overlay`, `copy`).

    A root that already holds snapshots of one kind keeps that kind. Raises Unsupported where
    the wanted (or the present) kind does not work.
    """
    os.makedirs(root, 0o700, exist_ok=True)
    userxattr = in_user_namespace()
    overlay_root = f"{root}/{'overlay-user' if userxattr else 'overlay'}"
    present = _present(root, overlay_root)
    if (wanted or present) == "copy":
        return Choice(CopyDir(f"{root}/copy"), "copy", "asked for" if wanted else "in use here")
    reason = overlay_fault(root, userxattr)
    if not reason:
        return Choice(Overlay(overlay_root, userxattr), "overlay", "")
    if wanted or present:
        raise Unsupported(f"overlayfs does not work in {root}: {reason}")
    return Choice(CopyDir(f"{root}/copy"), "copy", f"overlayfs does not work here: {reason}")


def _present(root: str, overlay_root: str) -> str | None:
    """The kind of which there are committed layers already."""
    for name, folder in (("overlay", overlay_root), ("copy", f"{root}/copy")):
        try:
            if os.listdir(f"{folder}/committed"):
                return name
        except FileNotFoundError:
            continue
    return None


def network_filesystem(path: str) -> str | None:
    """The name of the network file system that the path is on, None where it is a local one."""
    descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return NETWORK_FILESYSTEMS.get(filesystem_type(descriptor))
    finally:
        os.close(descriptor)


def overlay_fault(root: str, userxattr: bool) -> str:
    """Why overlayfs cannot be used below `root`; empty where it can. Tried in a child process."""
    network = network_filesystem(root)
    if network is not None:
        return f"{network} cannot hold upper directories; move the data root to a local disk"
    for name in os.listdir(root):
        if name.startswith("probe."):  # of a process that was killed here
            remove_path(f"{root}/{name}")
    folder = f"{root}/probe.{os.getpid()}"
    os.mkdir(folder, 0o700)
    try:
        return _probe(folder, userxattr)
    finally:
        remove_path(folder)


def _probe(folder: str, userxattr: bool) -> str:
    kind = "userxattr" if userxattr else "trusted"
    command = [sys.executable, "-I", "-m", "wherry.snapshot.probe", folder, kind]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        return f"a trial mount took longer than {_PROBE_SECONDS} s"
    if done.returncode:
        return f"the trial failed: {done.stderr.strip()[-300:]}"
    return done.stdout.strip()
