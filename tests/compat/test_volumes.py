"""Volumes beside dockerd: answers, texts, and volumes that stand for a mount."""

import time

import pytest

from tests.compat.asking import Answer, ask, both
from tests.compat.pair import Daemon, Pair
from wherry.linux import mountinfo

TMPFS = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,mode=1777"}
CREATE = [
    {"Name": "a1", "Driver": "nope"},
    {"Name": "v1", "Labels": {"a": "b"}},
    {"Name": "v1", "Driver": "local", "DriverOpts": TMPFS},
    {"Name": "v1", "Labels": {"x": "y"}},
    {"Name": "v2", "DriverOpts": TMPFS},
    {"Name": "v2"},
    {"Name": "v3", "DriverOpts": {"foo": "x"}},
    {"Name": "v4", "DriverOpts": {"o": "x"}},
    {"Name": "v4", "DriverOpts": {"type": "nfs"}},
    {"Name": "v5", "DriverOpts": {"size": "10m"}},
    {"Name": "-x"},
    {"Name": "x"},
    {"Name": "a/b"},
    {},
]
ASK = [
    "GET /volumes/v1",
    "GET /volumes/v2",
    "GET /volumes/none",
    "DELETE /volumes/none",
    "DELETE /volumes/none?force=1",
    'GET /volumes?filters={"name":["v1"]}',
    'GET /volumes?filters={"label":["a=b"],"dangling":["true"]}',
    'GET /volumes?filters={"label":["a=c"]}',
    'GET /volumes?filters={"driver":["nope"]}',
    'GET /volumes?filters={"dangling":["maybe"]}',
    'GET /volumes?filters={"foo":["x"]}',
    'POST /volumes/prune?filters={"foo":["x"]}',
    'POST /volumes/prune?filters={"label":["a=c"]}',
    'POST /volumes/prune?filters={"label!":["none"],"label":["a"]}',
    "POST /volumes/create",
]


def clear(daemons: Pair) -> None:
    for daemon in daemons.both:
        for volume in ask(daemon, "GET", "/volumes").body["Volumes"]:
            ask(daemon, "DELETE", f"/volumes/{volume['Name']}?force=1")


def test_answers_and_texts(daemons: Pair) -> None:
    try:
        for body in CREATE:
            both(daemons, "POST", "/volumes/create", body)
        for line in ASK:
            method, _, path = line.partition(" ")
            both(daemons, method, path)
    finally:
        clear(daemons)


def test_usage_and_pruning(daemons: Pair) -> None:
    try:
        for daemon in daemons.both:
            daemon.must("run", "--rm", "-v", "filled:/bin", "plain", "true")
            daemon.must("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "kept")
            daemon.must("volume", "create", "empty")
        usages = []
        for daemon in daemons.both:
            volumes = ask(daemon, "GET", "/system/df").body["Volumes"]
            usages.append({each["Name"]: each["UsageData"] for each in volumes})
        assert usages[0] == usages[1]
        assert usages[1]["filled"]["Size"] > 1_000_000
        pruned = [ask(each, "POST", "/volumes/prune").body for each in daemons.both]
        assert pruned[0]["SpaceReclaimed"] == pruned[1]["SpaceReclaimed"]
        names = [sorted(each["VolumesDeleted"]) for each in pruned]
        assert names == [["empty", "filled"]] * 2
    finally:
        clear(daemons)


@pytest.mark.parametrize(
    "options",
    [
        {"type": "none", "device": "/does/not/exist", "o": "bind"},
        {"type": "nosuchfs", "device": "x"},
        {"type": "tmpfs", "device": "tmpfs", "o": "size=nonsense"},
    ],
)
def test_what_cannot_be_mounted(daemons: Pair, options: dict[str, str]) -> None:
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    try:
        texts = []
        for daemon in daemons.both:
            daemon.must("volume", "create", *words, "bad")
            done = daemon.docker("run", "--rm", "-v", "bad:/m", "plain", "true")
            assert done.returncode in (125, 127)
            texts.append(done.stderr.replace(str(daemon.folder), "<folder>"))
        if options["type"] == "none":
            assert texts[0].replace(", flags: 0x1000", "") == texts[1]
        else:
            assert "error while mounting volume '<folder>/data/volumes/bad/_data'" in texts[1]
    finally:
        clear(daemons)


def mounted(daemon: Daemon) -> list[str]:
    """What is mounted below the daemon's folder, but overlays of containers."""
    points = mountinfo.read(daemon.pid)
    return [
        each.target[len(str(daemon.folder)) :]
        for each in points
        if each.target.startswith(f"{daemon.folder}/data/") and each.fstype != "overlay"
    ]


def until(daemon: Daemon, wanted: list[str]) -> None:
    ends = time.monotonic() + 15
    while mounted(daemon) != wanted and time.monotonic() < ends:
        time.sleep(0.05)
    assert mounted(daemon) == wanted


def test_shared_by_containers_and_gone_with_the_last(daemons: Pair) -> None:
    daemon = daemons.wherry
    try:
        daemon.must("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "shared")
        where = ["/data/volumes/shared/_data"]
        daemon.must("run", "-d", "--name", "first", "-v", "shared:/m", "plain", "sleep", "600")
        daemon.must("exec", "first", "sh", "-c", "echo here > /m/file")
        out = daemon.must("run", "--rm", "-v", "shared:/m", "plain", "cat", "/m/file")
        assert out == "here\n"
        assert mounted(daemon) == where
        daemon.must("rm", "-f", "first")
        until(daemon, [])
        assert daemon.must("run", "--rm", "-v", "shared:/m", "plain", "ls", "/m") == ""
        until(daemon, [])
    finally:
        daemon.docker("rm", "-f", "first")
        clear(daemons)


def test_a_subpath(daemons: Pair) -> None:
    daemon = daemons.wherry
    try:
        daemon.must("run", "--rm", "-v", "parts:/m", "plain", "sh", "-c",
                    "mkdir -p /m/a/b; echo in > /m/a/b/f; ln -s / /m/out")  # fmt: skip
        mount = {"Type": "volume", "Source": "parts", "Target": "/t"}

        def started(subpath: str) -> Answer:
            body = {"Image": "plain", "Cmd": ["cat", "/t/f"], "HostConfig": {
                "Mounts": [{**mount, "VolumeOptions": {"Subpath": subpath}}]}}  # fmt: skip
            made = ask(daemon, "POST", "/v1.45/containers/create?name=sub", body)
            if made.status != 201:
                return made
            return ask(daemon, "POST", "/v1.45/containers/sub/start")

        assert started("a/b").status == 204
        daemon.must("wait", "sub")
        assert daemon.must("logs", "sub") == "in\n"
        daemon.must("rm", "-f", "sub")
        until(daemon, [])
        absent = started("a/none")
        assert (absent.status, "cannot access path" in absent.body["message"]) == (404, True)
        daemon.must("rm", "-f", "sub")
        assert started("../x").status == 400
        # a link in the volume leads nowhere but into the volume
        assert started("out/a/b").status == 204
        daemon.must("rm", "-f", "sub")
        until(daemon, [])
    finally:
        daemon.docker("rm", "-f", "sub")
        clear(daemons)
