"""Routes of containers beside dockerd: archive, export, top, stats, prune, rename, wait, events."""

import base64
import io
import json
import tarfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from typing import Any

import pytest

from tests.compat.asking import ask, hidden, send
from tests.compat.pair import Daemon, Pair, missing

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]
NOT_SHOWN = ("Runtime", "MaskedPaths", "Created", "LogConfig")
BOX, OTHER = "box", "other-box"


@pytest.fixture(autouse=True)
def removed(daemons: Pair) -> Iterator[None]:
    yield
    for daemon in daemons.both:
        daemon.docker("rm", "-fv", BOX, OTHER)


def run(daemon: Daemon, *flags: str, script: str = "sleep 1000") -> None:
    daemon.must("run", "-d", "--name", BOX, *flags, "plain", "sh", "-c", script)


def look(daemon: Daemon, method: str, target: str, body: object = None) -> tuple[int, object]:
    """Status and the answer without ids. What dockerd calls its own fault, 500, is the client's."""
    status, answer = ask(daemon, method, target, body)
    if isinstance(answer, dict):
        answer.pop("SpaceReclaimed", None)  # theirs are bytes of files, ours blocks
    return 400 if status == 500 and daemon.name == "dockerd" else status, hidden(daemon, answer)


def same(daemons: Pair, requests: list[tuple[Any, ...]]) -> None:
    """Each request to both, in order; the differences."""

    def all_of(daemon: Daemon) -> list[tuple[int, object]]:
        return [look(daemon, *each) for each in requests]

    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(all_of, daemons.both)
    found = zip(requests, theirs, ours, strict=True)
    assert [f"{asked}: {left} != {right}" for asked, left, right in found if left != right] == []


def differ(daemons: Pair, one: Callable[[Daemon], list[object]]) -> None:
    """What both give, line by line, has to be the same."""
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(one, daemons.both)
    found = zip_longest(theirs, ours)
    assert "\n".join(f"{left} != {right}" for left, right in found if left != right) == ""


def filters(**values: list[str]) -> str:
    named = {name.replace("_not", "!"): each for name, each in values.items()}
    return urllib.parse.quote(json.dumps(named))


def tar(*entries: tuple[str, bytes, str, int]) -> bytes:
    """Name, kind (tarfile's), content or link, owner."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, kind, content, owner in entries:
            info = tarfile.TarInfo(name)
            info.type, info.uid, info.gid, info.mode = kind, owner, owner, 0o755
            if kind == tarfile.REGTYPE:
                info.size = len(content)
            else:
                info.linkname = content
            archive.addfile(info, io.BytesIO(content.encode()) if info.size else None)
    return made.getvalue()


FILE, FOLDER, LINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE
ARCHIVES = {
    "file": tar(("f", FILE, "x", 1234)),
    "folder over file": tar(("file", FOLDER, "", 0), ("file/f", FILE, "x", 5)),
    "file over folder": tar(("folder", FILE, "x", 0)),
    "link": tar(("l", LINK, "/etc", 7), ("l2", LINK, "nosuch", 7)),
    "nothing": tar(),
    "out of it": tar(("../../out", FILE, "x", 0)),
    "rubbish": b"no archive at all",
    "empty": b"",
}
OPTIONS = (
    "",
    "&noOverwriteDirNonDir=1",
    "&copyUIDGID=1",
    "&noOverwriteDirNonDir=true&copyUIDGID=true",
)
PLACES = ("{}", "{}/", "{}/folder", "{}/file", "nosuch{}", "{}/link", "x/../{}", "{}/folder/..")


def _base(number: int) -> list[tuple[str, bytes, str, int]]:
    """The tree of one place, before anything is put there."""
    top = f"t{number}"
    return [(top, FOLDER, "", 0), (f"{top}/folder", FOLDER, "", 0), (f"{top}/file", FILE, "y", 0),
            (f"{top}/link", LINK, "folder", 0)]  # fmt: skip


def _listed(daemon: Daemon, path: str) -> list[object]:
    content = send(daemon, "GET", f"/containers/{BOX}/archive?path={path}", b"")[2]
    with tarfile.open(fileobj=io.BytesIO(content)) as read:
        return sorted(
            (each.name, each.type, each.uid, each.gid, each.mode & 0o7777, each.size, each.linkname)
            for each in read
        )


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", ARCHIVES)
def test_put(daemons: Pair, name: str, options: str) -> None:
    def one(daemon: Daemon) -> list[object]:
        daemon.must("create", "--name", BOX, "-u", "root", "plain")
        base = tar(*(entry for number in range(len(PLACES)) for entry in _base(number)))
        assert send(daemon, "PUT", f"/containers/{BOX}/archive?path=/", base)[0] == 200
        found: list[object] = []
        for number, place in enumerate(PLACES):
            path = f"/containers/{BOX}/archive?path=/{place.format(f't{number}')}{options}"
            status, _, text = send(daemon, "PUT", path, ARCHIVES[name])
            status = 400 if status == 500 and daemon.name == "dockerd" else status
            found.append((place, status, text if status == 404 else ""))
            found += _listed(daemon, f"/t{number}")
        return found

    differ(daemons, one)


@pytest.mark.parametrize(
    "path",
    ["/bin", "/bin/", "/bin/sh", "/bin/busybox", "/bin/busybox/", "/bin/.", "/", "/etc/passwd",
     "/nosuch", "/l", "/l/", "/loop", "/dangling", "bin", "", "/etc/hosts",
     "/sticky", "/pipe"],
)  # fmt: skip
def test_stat_and_get(daemons: Pair, path: str) -> None:
    def one(daemon: Daemon) -> list[object]:
        run(daemon, script="ln -s /bin /l; ln -s loop /loop; ln -s nosuch /dangling; mkdir /sticky;"
            "chmod 1777 /sticky; mkfifo /pipe; touch /ready; sleep 1000")  # fmt: skip
        while daemon.docker("exec", BOX, "ls", "/ready").returncode:
            pass
        target = f"/containers/{BOX}/archive?path={path}"
        found: list[object] = []
        for method in ("HEAD", "GET"):
            status, headers, body = send(daemon, method, target, b"")
            stat = headers.get("X-Docker-Container-Path-Stat", "")
            shown = json.loads(base64.b64decode(stat)) if stat else {}
            shown.pop("mtime", None)
            if shown.get("name") in ("hosts", "/", "proc", "null"):
                shown.pop("size")
            names = []
            if status == 200 and method == "GET":
                with tarfile.open(fileobj=io.BytesIO(body)) as read:
                    names = sorted(
                        (each.name, each.type, each.mode & 0o7777, each.linkname) for each in read
                    )
            elif status in (404, 200):
                names = [body.decode(errors="replace")]
            status = 400 if status == 500 and daemon.name == "dockerd" else status
            found += [status, headers.get("Content-Type"), shown]
            found += names if path != "/" else []
        return found

    differ(daemons, one)


TOPS = (
    "", "aux", "-o%20pid,comm", "-ef%20-ww", "-o%20comm", "--nosuch", "-eo%20pid,user,args",
    "-o%20pid%3D", "axl",
)  # fmt: skip


@pytest.mark.parametrize("arguments", TOPS)
def test_top(daemons: Pair, arguments: str) -> None:
    def one(daemon: Daemon) -> list[object]:
        run(daemon, script="sleep 1001 & sleep 1000")
        while len(ask(daemon, "GET", f"/containers/{BOX}/top").body["Processes"]) < 2:
            pass
        status, body = look(daemon, "GET", f"/containers/{BOX}/top?ps_args={arguments}")
        if not isinstance(body, dict) or "Titles" not in body:
            return [status, body]
        titles = body["Titles"]
        kept = [at for at, title in enumerate(titles) if title in ("CMD", "COMMAND", "USER", "UID")]
        return [status, titles, sorted([row[at] for at in kept] for row in body["Processes"])]

    differ(daemons, one)


REFUSALS = [
    ("GET", f"/containers/{BOX}/top"),
    ("POST", f"/containers/{BOX}/rename?name=/"),
    ("POST", f"/containers/{BOX}/rename"),
    ("POST", f"/containers/{BOX}/rename?name={BOX}"),
    ("POST", f"/containers/{BOX}/rename?name=/{BOX}"),
    ("POST", f"/containers/{BOX}/rename?name={OTHER}"),
    ("POST", f"/containers/{BOX}/rename?name=a/b"),
    ("POST", f"/containers/{BOX}/rename?name=-x"),
    ("POST", "/containers/nosuch/rename?name=x"),
    ("POST", "/containers/nosuch/wait"),
    ("POST", f"/containers/{BOX}/wait"),
    ("POST", f"/containers/{BOX}/wait?condition=not-running"),
    ("POST", f"/containers/{BOX}/pause"),
    ("POST", f"/containers/{BOX}/kill"),
    ("POST", f"/containers/{BOX}/resize?h=5&w=5"),
    ("GET", f"/containers/{BOX}/logs"),
    ("POST", f"/containers/{BOX}/restart?t=x"),
    ("POST", "/containers/nosuch/update", {"Memory": 5}),
    ("GET", "/containers/nosuch/export"),
    ("GET", "/containers/nosuch/attach/ws"),
]


@pytest.mark.parametrize("asked", REFUSALS, ids=str)
def test_what_has_not_run(daemons: Pair, asked: tuple[Any, ...]) -> None:
    for daemon in daemons.both:
        daemon.must("create", "--name", BOX, "plain", "true")
        daemon.must("create", "--name", OTHER, "plain", "true")
    same(daemons, [asked])


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("query", ["stream=0", "stream=0&one-shot=1", "stream=false&one-shot=0"])
def test_stats(daemons: Pair, query: str, running: bool) -> None:
    def shape(value: object) -> object:
        if isinstance(value, dict):
            return {name: shape(each) for name, each in sorted(value.items())}
        if isinstance(value, list):
            return [shape(each) for each in value[:1]]
        return type(value).__name__ if value else value

    def one(daemon: Daemon) -> list[object]:
        run(daemon, "-m", "64m", script="sleep 1000" if running else "true")
        if not running:
            daemon.must("wait", BOX)
        status, body = ask(daemon, "GET", f"/containers/{BOX}/stats?{query}")
        body["memory_stats"].pop("stats", None)
        for name in ("cpu_stats", "precpu_stats"):
            body[name].pop("throttling_data", None)
            usage = body[name].get("cpu_usage", {})
            for field in ("percpu_usage", "usage_in_usermode", "usage_in_kernelmode"):
                usage.pop(field, None)
        for name in list(body.get("networks", {}).get("eth0", {})):
            body["networks"]["eth0"][name] = 0
        body.pop("blkio_stats", None)
        body["memory_stats"].pop("failcnt", None)
        return [status, shape(body)]

    differ(daemons, one)


PRUNES: list[dict[str, list[str]]] = [
    {"label": ["a"]}, {"label": ["a=1"]}, {"label": ["a=2"]}, {"label_not": ["a"]},
    {"label_not": ["a=1"]}, {"label": ["a", "b"]}, {"label": ["nosuch"]}, {"until": ["1h"]},
    {"until": ["2000000000"]}, {"until": ["2030-01-01"]}, {"until": ["x"]}, {"until": ["1h", "2h"]},
    {"nosuch": ["1"]}, {"name": ["x"]}, {"until": ["0"]}, {"label": ["a"], "until": ["2000000000"]},
    {"until": ["-1h"]},
]  # fmt: skip


@pytest.mark.parametrize("asked", PRUNES, ids=str)
def test_prune(daemons: Pair, asked: dict[str, list[str]]) -> None:
    def one(daemon: Daemon) -> list[object]:
        daemon.must("create", "--name", BOX, "-l", "a=1", "-l", "b", "plain", "true")
        daemon.must("create", "--name", OTHER, "-l", "c=1", "plain", "true")
        found = look(daemon, "POST", f"/containers/prune?filters={filters(**asked)}")
        return [found, sorted(daemon.must("ps", "-a", "--format", "{{.Names}}").split())]

    differ(daemons, one)


BODIES: list[dict[str, Any]] = [
    {"HostConfig": {"Isolation": "process"}}, {"HostConfig": {"Isolation": "default"}},
    {"HostConfig": {"Isolation": "nosuch"}},
    {"HostConfig": {"StorageOpt": {"size": "1G"}}}, {"HostConfig": {"StorageOpt": {"x": "y"}}},
    {"HostConfig": {"OomKillDisable": True}},
    {"HostConfig": {"OomKillDisable": True, "Memory": 64 << 20}},
    {"HostConfig": {"CgroupnsMode": "private"}}, {"HostConfig": {"CgroupnsMode": "host"}},
    {"HostConfig": {"UsernsMode": "host"}},
    {"HostConfig": {"Devices": [{"PathOnHost": "/dev/nosuch", "PathInContainer": "/dev/x"}]}},
    {"HostConfig": {"DeviceCgroupRules": ["c 1:3 rwm", "a *:* rwm"]}},
    {"HostConfig": {"Sysctls": {"net.ipv4.ip_forward": "1"}}},
    {"HostConfig": {"Sysctls": {"kernel.nosuch": "1"}}},
    {"HostConfig": {"Sysctls": {"vm.swappiness": "1"}}},
    {"HostConfig": {"Sysctls": {"net.core.somaxconn": "x"}}},
    {"HostConfig": {"NetworkMode": "host", "Sysctls": {"net.ipv4.ip_forward": "1"}}},
    {"HostConfig": {"CpuPercent": 5}}, {"HostConfig": {"CpuCount": 5}},
    {"HostConfig": {"IOMaximumIOps": 5}}, {"HostConfig": {"ConsoleSize": [5, 5]}},
    {"HostConfig": {"GroupAdd": ["nosuch"]}},
    {"HostConfig": {"Tmpfs": {"x": ""}}}, {"HostConfig": {"SecurityOpt": ["nosuch"]}},
    {"HostConfig": {"SecurityOpt": ["no-new-privileges:maybe"]}},
    {"HostConfig": {"ExtraHosts": ["nosuch"]}}, {"HostConfig": {"ExtraHosts": ["a:b"]}},
    {"HostConfig": {"Dns": ["x"]}},
    {"HostConfig": {"BlkioDeviceReadBps": [{"Path": "/dev/nosuch", "Rate": 5}]}},
    {"HostConfig": {"Init": True}}, {"HostConfig": {"KernelMemory": 64 << 20}},
    {"HostConfig": {"CpuRealtimeRuntime": 5}}, {"HostConfig": {"PidsLimit": -5}},
    {"HostConfig": {"VolumeDriver": "nosuch"}}, {"User": "nosuch"}, {"User": "5:nosuch"},
    {"StopTimeout": -1}, {"StopSignal": "SIGRTMIN+3"}, {"Domainname": "x y"},
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=str)
def test_options(daemons: Pair, body: dict[str, Any]) -> None:
    def one(daemon: Daemon) -> list[object]:
        sent = {"Image": "plain", "Cmd": ["sleep", "1000"], **body}
        found: list[object] = [look(daemon, "POST", f"/containers/create?name={BOX}", sent)]
        started, told = look(daemon, "POST", f"/containers/{BOX}/start")
        found.append((started, told if started == 404 else ""))  # the words are runc's
        config = ask(daemon, "GET", f"/containers/{BOX}/json").body.get("HostConfig", {})
        return [
            *found,
            *((name, value) for name, value in config.items() if name not in NOT_SHOWN),
        ]

    differ(daemons, one)


EARLIER: list[dict[str, Any]] = [
    {"HostConfig": {"UsernsMode": "private"}}, {"HostConfig": {"DeviceCgroupRules": ["nosuch"]}},
    {"HostConfig": {"DeviceCgroupRules": ["c 1:3 rwx"]}}, {"MacAddress": "x"},
    {"HostConfig": {"Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 5}]}},
    {"HostConfig": {"Ulimits": [{"Name": "nosuch", "Soft": 10, "Hard": 10}]}},
    {"HostConfig": {"Tmpfs": {"/x": "nosuch"}}},
]  # fmt: skip


@pytest.mark.parametrize("body", EARLIER, ids=str)
def test_what_cannot_start_is_refused_at_creation(daemons: Pair, body: dict[str, Any]) -> None:
    sent = {"Image": "plain", "Cmd": ["sleep", "1000"], **body}
    made = f"/containers/create?name={BOX}"
    assert ask(daemons.dockerd, "POST", made, sent).status == 201
    assert ask(daemons.wherry, "POST", made, sent).status == 400


def test_one_link_is_no_reason_to_remove_a_container(daemons: Pair) -> None:
    def one(daemon: Daemon) -> list[object]:
        run(daemon)
        _, told = look(daemon, "DELETE", f"/containers/{BOX}?link=1")
        return [told, ask(daemon, "GET", f"/containers/{BOX}/json").status]

    differ(daemons, one)


def test_a_removal_that_is_refused_leaves_the_restart_policy(daemons: Pair) -> None:
    run(daemons.wherry, "--restart", "always", script="sleep 1; exit 3")
    assert daemons.wherry.docker("rm", BOX).returncode != 0
    until = time.monotonic() + 30
    while ask(daemons.wherry, "GET", f"/containers/{BOX}/json").body["RestartCount"] == 0:
        assert time.monotonic() < until
        time.sleep(0.1)
