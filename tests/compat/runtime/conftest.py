"""A small image as a tar, for both engines."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = os.path.join(os.path.dirname(sys.executable), "wherry-runtime")
APPLETS = (
    "sh cat echo sleep ls id ps env stat kill touch head grep true false mkdir tty hostname trap "
    "mount wc ip ifconfig sort cut"
)
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096")
"""Low ones: raising them needs a capability that a machine of ours may not have."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "compat/runtime" in str(item.path) and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture(scope="session")
def image() -> Iterator[Path]:
    """A tar of a root file system with busybox."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("needs busybox-static")
    folder = Path(tempfile.mkdtemp(prefix="wherry-compat-"))
    root = folder / "root"
    for name in ("bin", "etc", "tmp", "root", "data"):
        (root / name).mkdir(parents=True)
    shutil.copy(busybox, root / "bin/busybox")
    for name in APPLETS.split():
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nuser:x:7:8::/home/u:/bin/sh\n")
    subprocess.run(["tar", "-C", root, "-cf", folder / "image.tar", "."], check=True)
    yield folder / "image.tar"
    shutil.rmtree(folder)


def on_terminal(command: list[str]) -> str:
    """Run a command on a pseudoterminal by script(1); what it shows."""
    line = " ".join(f"'{word}'" for word in command)
    shown = subprocess.run(
        ["script", "-qec", line, "/dev/null"],
        capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return f"{shown.stdout}[{shown.returncode}]".replace("\r", "")
