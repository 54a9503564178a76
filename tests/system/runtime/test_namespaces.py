"""Namespaces: made, joined, mapped; each is told by its inode."""

import json
import os
import subprocess
import time
from collections.abc import Iterator

import pytest

from .conftest import IS_ROOT, Rig

KINDS = {"pid": "pid", "ipc": "ipc", "uts": "uts", "mount": "mnt", "cgroup": "cgroup",
         "network": "net", "user": "user", "time": "time"}  # fmt: skip
LOOK = "for n in pid ipc uts mnt cgroup net user time; do echo $n=$(readlink /proc/self/ns/$n);done"


def seen(text: str) -> dict[str, str]:
    return dict(line.split("=") for line in text.split())


def own() -> dict[str, str]:
    return {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in KINDS.values()}


def test_each_namespace_is_new_or_the_callers(rig: Rig) -> None:
    inside = seen(rig.output(rig.bundle("sh", "-c", LOOK)))
    new = {kind for kind, inode in inside.items() if inode != own()[kind]}
    wanted = {"pid", "ipc", "uts", "mnt", "cgroup"} | ({"net"} if IS_ROOT else {"user"})
    assert new == wanted


def test_names_and_loopback(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "hostname; cat /proc/sys/kernel/domainname; ifconfig lo")
    bundle.namespace("network")
    bundle.config |= {"hostname": "box", "domainname": "example"}
    text = rig.output(bundle)
    assert text.split()[:2] == ["box", "example"]
    assert "127.0.0.1" in text
    assert "UP LOOPBACK" in text


def test_time_offsets(rig: Rig) -> None:
    bundle = rig.bundle("cat", "/proc/uptime")
    bundle.namespace("time")
    bundle.linux["timeOffsets"] = {"boottime": {"secs": 1_000_000, "nanosecs": 0}}
    inside = float(rig.output(bundle).split()[0])
    assert inside > time.clock_gettime(time.CLOCK_BOOTTIME) + 999_000


@pytest.fixture
def holder() -> Iterator[int]:
    """A process in namespaces of its own."""
    child = subprocess.Popen(
        ["unshare", *([] if IS_ROOT else ["-Ur"]), "--net", "--ipc", "--uts", "sleep", "300"]
    )
    deadline = time.monotonic() + 5
    while os.readlink(f"/proc/{child.pid}/ns/net") == own()["net"]:
        assert time.monotonic() < deadline
    yield child.pid
    child.kill()
    child.wait()


def test_joining_by_path(rig: Rig, holder: int) -> None:
    bundle = rig.bundle("sh", "-c", LOOK)
    names = ["network", "ipc", "uts"]
    if not IS_ROOT:  # they belong to the holder's user namespace, which is joined as well
        names.append("user")
        bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = []
    for name in names:
        bundle.namespace(name, f"/proc/{holder}/ns/{KINDS[name]}")
    bundle.config["hostname"] = ""
    inside = seen(rig.output(bundle))
    for name in names:
        assert inside[KINDS[name]] == os.readlink(f"/proc/{holder}/ns/{KINDS[name]}")


def test_another_containers_pid_namespace(rig: Rig) -> None:
    pid = rig.start(rig.bundle("sleep", "300"), "first")
    bundle = rig.bundle("sleep", "301")
    bundle.namespace("pid", f"/proc/{pid}/ns/pid")
    if not IS_ROOT:
        bundle.namespace("user", f"/proc/{pid}/ns/user")
        bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = []
    rig.start(bundle, "second")
    text = rig.sh("ps", container="second")
    assert "sleep 300" in text
    assert "sleep 301" in text
    rig.ok("kill", "second", "KILL")
    rig.wait("stopped", "second")
    assert rig.status("first") == "running"


@pytest.mark.parametrize(
    ("path", "text"), [("/no/such", "no such file"), ("/dev/null", "not a net namespace"),
                       ("/proc/self/ns/ipc", "not a net namespace")]
)  # fmt: skip
def test_a_path_that_is_no_such_namespace(rig: Rig, path: str, text: str) -> None:
    bundle = rig.bundle("true")
    bundle.namespace("network", path)
    assert text in rig.fails("run", "-b", bundle.save(), "box")


@pytest.mark.root
def test_a_user_namespace_with_ranges(rig: Rig) -> None:
    look = (
        "id; cat /proc/self/uid_map; touch /mnt/x; echo x > /dev/null && stat -c %u /bin;"
        "cat /proc/self/setgroups"
    )
    bundle = rig.bundle("sh", "-c", look)
    volume = rig.folder / "volume"
    volume.mkdir()
    os.chown(volume, 100_000, 200_000)
    bundle.namespace("user")
    bundle.linux["uidMappings"] = [{"containerID": 0, "hostID": 100_000, "size": 1000}]
    bundle.linux["gidMappings"] = [{"containerID": 0, "hostID": 200_000, "size": 1000}]
    bundle.mount("/mnt", "none", str(volume), "bind")
    text = rig.output(bundle)
    assert "uid=0" in text
    assert text.split("\n")[1].split() == ["0", "100000", "1000"]
    assert "65534" in text  # the image's root is nobody in there
    assert text.endswith("allow\n")
    made = os.stat(volume / "x")
    assert (made.st_uid, made.st_gid) == (100_000, 200_000)


@pytest.mark.root
def test_another_user_in_a_user_namespace(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "id -u; id -g; id -G")
    bundle.namespace("user")
    for kind in ("uidMappings", "gidMappings"):
        bundle.linux[kind] = [{"containerID": 0, "hostID": 100_000, "size": 1000}]
    bundle.process["user"] = {"uid": 7, "gid": 8, "additionalGids": [9]}
    assert rig.output(bundle).split("\n")[:3] == ["7", "8", "8 9"]


@pytest.mark.root
def test_a_barred_source_is_taken_with_the_callers_rights(rig: Rig) -> None:
    """The way to a bind source may be closed to the container's user namespace."""
    secret = rig.folder / "closed/inner"
    secret.mkdir(parents=True)
    (secret / "file").write_text("open")
    secret.parent.chmod(0o700)
    bundle = rig.bundle("cat", "/mnt/file")
    bundle.namespace("user")
    for kind in ("uidMappings", "gidMappings"):
        bundle.linux[kind] = [{"containerID": 0, "hostID": 100_000, "size": 1000}]
    bundle.mount("/mnt", "none", str(secret), "bind", "ro")
    assert rig.output(bundle) == "open"


def test_another_id_than_root_is_mapped_alone(rig: Rig) -> None:
    """`-u N` of a one-id container: a user namespace in which only N exists."""
    bundle = rig.bundle("sh", "-c", "id -u; id -g; cat /proc/self/uid_map")
    bundle.namespace("user")
    bundle.linux["uidMappings"] = [{"containerID": 1000, "hostID": os.geteuid(), "size": 1}]
    bundle.linux["gidMappings"] = [{"containerID": 1000, "hostID": os.getegid(), "size": 1}]
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.config["mounts"] = [one for one in bundle.config["mounts"]
                               if one["destination"] in ("/proc", "/dev")]  # fmt: skip
    lines = rig.output(bundle).splitlines()
    assert lines[:2] == ["1000", "1000"]
    assert lines[2].split() == ["1000", str(os.geteuid()), "1"]


@pytest.mark.plain
def test_a_map_that_is_not_ours_is_refused(rig: Rig) -> None:
    bundle = rig.bundle("true")
    bundle.linux["uidMappings"] = [{"containerID": 0, "hostID": 0, "size": 10}]
    error = rig.fails("run", "-b", bundle.save(), "box")
    assert "newuidmap" in error or "cannot map" in error


def test_exec_is_in_the_same_namespaces(rig: Rig) -> None:
    bundle = rig.bundle("sleep", "300")
    bundle.namespace("time")
    rig.start(bundle)
    inside = seen(rig.sh(LOOK))
    pid = json.loads(rig.ok("state", "box"))["pid"]
    assert inside == {kind: os.readlink(f"/proc/{pid}/ns/{kind}") for kind in inside}
