"""The capability ladder: a filter plays a kernel that does not have a call yet."""

import pytest

from .conftest import Rig, in_sealed_python

CODE = """
import sys
from wherry.linux import process
from wherry.runtime import seccomp
from wherry.runtime.commands.main import main
process.set_no_new_privileges()
names = sys.argv[2].split(",")
seccomp.load(seccomp.compile({
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": 38}],
}))
main(sys.argv[3:])
"""
LOOK = "cat /proc/self/mountinfo; wc -c < /proc/keys; touch /mnt/x; mkdir /etc/x; id -u"


def run(rig: Rig, missing: str, *words: str) -> "tuple[str, str]":
    result = in_sealed_python(CODE, missing, "--root", rig.state, *words)
    return result.stdout, result.stderr


@pytest.mark.parametrize("missing", ["openat2", "close_range", "clone3", "mount_setattr",
                                     "openat2,close_range,clone3,mount_setattr"])  # fmt: skip
def test_a_container_on_an_older_kernel_is_the_same(rig: Rig, missing: str) -> None:
    volume = rig.folder / "volume"
    volume.mkdir()
    bundle = rig.bundle("sh", "-c", LOOK)
    bundle.mount("/mnt", "none", str(volume), "bind", "ro", "nosuid")
    shown, errors = run(rig, missing, "run", "-b", bundle.save(), "box")
    assert shown.splitlines()[-2:] == ["0", "0"], errors
    line = next(one for one in shown.splitlines() if " /mnt " in one)
    assert {"ro", "nosuid"} <= set(line.split()[5].split(","))
    assert errors.count("Read-only file system") == 2, errors
    assert "shared:" not in shown


def test_exec_on_an_older_kernel(rig: Rig) -> None:
    rig.start(rig.bundle())
    shown, errors = run(rig, "openat2,close_range,clone3", "exec", "box", "sh", "-c", "echo $$; ps")
    assert "sleep 300" in shown, errors


def test_what_cannot_be_had_is_said(rig: Rig) -> None:
    bundle = rig.bundle("true")
    assert "kernel 5.2" in run(rig, "open_tree", "run", "-b", bundle.save(), "box")[1]
    bundle.mount("/mnt", "none", "/etc", "rbind", "rro")
    error = run(rig, "mount_setattr", "run", "-b", bundle.save(), "box")[1]
    assert "mount_setattr" in error
