"""--link, --volumes-from and --mount beside dockerd: what inspect shows and what is seen inside."""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.compat.pair import Daemon, Pair, missing

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]
SERVER, USER = "server", "user-box"


@pytest.fixture(autouse=True)
def removed(daemons: Pair) -> Iterator[None]:
    yield
    for daemon in daemons.both:
        daemon.docker("rm", "-fv", SERVER, USER)
        daemon.docker("volume", "rm", "named", "made")


def both(daemons: Pair, look: Callable[[Daemon], Any]) -> None:
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(look, daemons.both)
    assert ours == theirs


def hidden(text: str) -> str:
    return re.sub(r"[0-9a-f]{12,64}", "<id>", re.sub(r"172\.17\.\d+\.\d+", "<address>", text))


def server(daemon: Daemon, *flags: str) -> None:
    daemon.must("run", "-d", "--name", SERVER, *flags, "plain", "sleep", "1000")


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--expose", "80"),
        ("--expose", "80-83", "--expose", "53/udp", "--expose", "90", "--expose", "80/udp"),
        ("-e", "A=1", "-e", "HOME=/x", "-e", "B=two words", "-e", "PATH=/bin"),
        ("-h", "other-name"),
    ],
)
def test_what_a_link_gives(daemons: Pair, flags: tuple[str, ...]) -> None:
    def look(daemon: Daemon) -> list[str]:
        server(daemon, *flags)
        links = ("--link", f"{SERVER}:data-base", "--link", SERVER)
        script = "env | sort; grep -v HOSTNAME /etc/hosts"
        told = daemon.must("run", "--name", USER, *links, "plain", "sh", "-c", script)
        found = json.loads(daemon.must("inspect", USER))[0]["HostConfig"]["Links"]
        # more than one link and more than one range come in no order
        return sorted([*hidden(told).splitlines(), *found])

    both(daemons, look)


def test_links_are_in_the_environment_of_execs(daemons: Pair) -> None:
    def look(daemon: Daemon) -> list[str]:
        server(daemon, "--expose", "80")
        daemon.must("run", "-d", "--name", USER, "--link", f"{SERVER}:db", "plain", "sleep", "1000")
        return sorted(hidden(daemon.must("exec", USER, "env")).splitlines())

    both(daemons, look)


@pytest.mark.parametrize(
    "flags",
    [
        ("--link", "nosuch:x"),
        ("--link", f"{SERVER}:x", "--net", "host"),
        ("--volumes-from", "nosuch"),
        ("--volumes-from", f"{SERVER}:nocopy"),
        ("--volumes-from", f"{SERVER}:rshared"),
        ("--volumes-from", f"{SERVER}:ro,rw"),
        ("--mount", "type=npipe,src=x,dst=/x"),
        ("--mount", "type=bind,src=/nosuch,dst=/x"),
        ("--mount", "type=bind,dst=/x"),
        ("--mount", "type=volume,src=a/b,dst=/x"),
        ("--mount", "type=volume,src=named,dst=/x,volume-opt=nosuch=1"),
        ("--mount", "type=tmpfs,src=/y,dst=/x"),
        ("--mount", "type=volume,dst=x"),
        ("--mount", "type=volume,dst=/data,readonly"),
    ],
)
def test_what_is_refused(daemons: Pair, flags: tuple[str, ...]) -> None:
    def look(daemon: Daemon) -> tuple[int, str]:
        server(daemon)
        done = daemon.docker("create", "--name", USER, *flags, "plain")
        return done.returncode, done.stderr

    both(daemons, look)


def test_a_link_to_what_does_not_run(daemons: Pair) -> None:
    def look(daemon: Daemon) -> list[str]:
        server(daemon)
        daemon.must("create", "--name", USER, "--link", f"{SERVER}:db", "plain")
        daemon.must("stop", "-t", "0", SERVER)
        first = daemon.docker("start", USER).stderr
        daemon.must("rm", "-f", SERVER)
        return [first, daemon.docker("start", USER).stderr]

    both(daemons, look)


def mounts(daemon: Daemon, name: str) -> list[dict[str, Any]]:
    found = json.loads(daemon.must("inspect", name))[0]["Mounts"]
    text = json.dumps(sorted(found, key=lambda each: str(each["Destination"])))
    result: list[dict[str, Any]] = json.loads(hidden(text.replace(str(daemon.folder), "<folder>")))
    return result


MANY = (
    "-v", "/anonymous", "-v", "named:/named", "-v", "/usr:/bound:ro", "--tmpfs", "/scratch",
)  # fmt: skip


@pytest.mark.parametrize(
    "flags",
    [
        ("--volumes-from", SERVER),
        ("--volumes-from", f"{SERVER}:ro"),
        ("--volumes-from", f"{SERVER}:rw"),
        ("--volumes-from", f"{SERVER}:z"),
        ("--volumes-from", SERVER, "-v", "/etc:/named", "-v", "/anonymous"),
        ("--volumes-from", SERVER, "--mount", "type=tmpfs,dst=/bound"),
    ],
)
def test_volumes_of_another_container(daemons: Pair, flags: tuple[str, ...]) -> None:
    def look(daemon: Daemon) -> list[object]:
        server(daemon, *MANY)
        daemon.must("exec", SERVER, "sh", "-c", "echo x >/named/file; echo y >/anonymous/file")
        script = "cat /named/file /anonymous/file; touch /named/new && echo written; ls /scratch"
        done = daemon.docker("run", "--name", USER, *flags, "plain", "sh", "-c", script)
        there = daemon.docker("exec", SERVER, "ls", "/named", "/anonymous").stdout
        return [done.returncode, done.stdout, done.stderr, there, mounts(daemon, USER)]

    both(daemons, look)


def test_a_shared_volume_stays_for_who_has_it_still(daemons: Pair) -> None:
    def look(daemon: Daemon) -> list[object]:
        server(daemon, "-v", "/anonymous")
        daemon.must("run", "-d", "--name", USER, "--volumes-from", SERVER, "plain", "sleep", "1000")
        daemon.must("rm", "-fv", SERVER)
        kept = daemon.must("exec", USER, "sh", "-c", "touch /anonymous/x; ls /anonymous")
        daemon.must("rm", "-fv", USER)
        return [kept, len(daemon.must("volume", "ls", "-q").split())]

    both(daemons, look)


@pytest.mark.parametrize(
    "mount",
    [
        "type=bind,src=SHARED,dst=/x,bind-propagation=rslave",
        "type=bind,src=SHARED,dst=/x,bind-nonrecursive,readonly",
        "type=volume,src=made,dst=/data,volume-label=a=b,volume-label=c",
        "type=volume,src=made,dst=/data,volume-nocopy",
        "type=tmpfs,dst=/x,tmpfs-size=1048576,tmpfs-mode=700",
        "type=tmpfs,dst=/x,readonly",
    ],
)
def test_mounts(daemons: Pair, mount: str) -> None:
    def look(daemon: Daemon) -> list[object]:
        asked = mount.replace("SHARED", str(daemons.shared))
        script = "grep -E ' /(x|data) ' /proc/self/mountinfo | cut -d' ' -f5-; ls -l /data"
        done = daemon.docker("run", "--name", USER, "--mount", asked, "plain", "sh", "-c", script)
        volume = daemon.docker(
            "volume", "inspect", "-f", "{{json .Labels}} {{json .Options}}", "made"
        )
        seen = re.sub(r" (shared|master):\d+", "", done.stdout)
        return [done.returncode, seen, done.stderr, mounts(daemon, USER), volume.stdout]

    both(daemons, look)
