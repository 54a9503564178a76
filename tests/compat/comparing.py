"""One `docker run` command line on both daemons, and what differs: inspect and the inside.

A difference is told as a line `path: dockerd's value != ours`. What may differ is in `ALLOWED`,
each with the reason; everything else is a failure.
"""

import json
import os
import re
import shlex
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

from tests.compat.pair import Daemon, Pair
from tests.compat.probe_image import END, PLAIN

TIMEOUT = 20.0
NAME, PEER = "row", "peer"

ALLOWED = {
    r"(HostConfig\.)?Runtime|Driver|GraphDriver\..*": "ours have names of their own",
    r"NetworkSettings\.SandboxKey": "our namespaces have no file; /proc/PID/ns/net is given",
    r"HostConfig\.MaskedPaths\.\d+": "powercap is masked too, as newer Docker does",
    r"view\.mounts\.(/proc|/sys)/.*": "masks are the host's /dev/null, and noexec",
    r"view\.mounts\./sys/fs/cgroup": "asked read-only and is; runc leaves this tmpfs writable",
    r"view\.cgroups\.0": "in a hybrid layout the unified hierarchy limits nothing; we stay out",
    r"view\.(addresses\.lo .*::1/128.*|sysctls\..*(all|lo)/disable_ipv6)": (
        "loopback has its IPv6 address, as in Docker since 27: /etc/hosts names it"
    ),
    r"NetworkSettings\.SandboxID": "the sandbox is the container, and has its id",
    r"view\.devices\.c 10:200 rwm": "/dev/net/tun is no default device since runc 1.2",
}
"""Regular expressions over the whole path."""


class Row(NamedTuple):
    """A command line after `docker run -d --name row`, and what is special about it."""

    flags: str
    image: str = PLAIN
    command: str = ""
    but: str = ""
    """One more regular expression of paths that may differ here; the reason is in a comment."""
    view: bool = True

    @property
    def words(self) -> list[str]:
        return [*shlex.split(self.flags), self.image, *shlex.split(self.command)]


def compare(daemons: Pair, row: Row) -> list[str]:
    """The differences that are not allowed."""
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(lambda daemon: run(daemon, row, daemons), daemons.both)
    return list(differences(theirs, ours, row.but))


def differences(theirs: dict[str, str], ours: dict[str, str], but: str = "") -> Iterator[str]:
    """Lines for all paths whose values are not the same."""
    allowed = re.compile("|".join(f"(?:{each})" for each in [*ALLOWED, but] if each))
    if theirs["exit"] != "0" and "Id" not in ours:
        # both refuse; a mistake that we find at creation and dockerd at the start leaves nothing
        theirs = {path: theirs[path] for path in ours}
    for path in sorted({**theirs, **ours}):
        left, right = theirs.get(path), ours.get(path)
        if left != right and not allowed.fullmatch(path):
            yield f"{path}: {left!r} != {right!r}"


def run(daemon: Daemon, row: Row, daemons: Pair) -> dict[str, str]:
    """Run a row and remove it again; everything that can be seen of it."""
    words = [word.replace("SHARED", str(daemons.shared)) for word in row.words]
    done = daemon.docker("run", "-d", "--pull", "never", "--name", NAME, *words)
    try:
        facts = {"exit": str(done.returncode), "stderr": done.stderr}
        inspected = daemon.docker("inspect", NAME)
        if inspected.returncode:
            return {path: hide(daemon, text) for path, text in facts.items()}
        if done.returncode == 0 and row.view:
            output = _output(daemon)
            inspected = daemon.docker("inspect", NAME)
            (document,) = json.loads(inspected.stdout)
            facts |= view(daemon, hide(daemon, output, document["Id"]))
        (document,) = json.loads(inspected.stdout)
        document["State"]["Pid"] = bool(document["State"]["Pid"])
        if done.returncode:  # ours are known from creation on
            for name in ("HostnamePath", "HostsPath", "ResolvConfPath", "LogPath"):
                del document[name]
        facts |= flatten(_sorted(document))
        return {path: hide(daemon, value, document["Id"]) for path, value in facts.items()}
    finally:
        daemon.docker("rm", "-fv", NAME)


@cache
def peer_of(daemon: Daemon) -> str:
    """The id of the container to share namespaces with."""
    return daemon.must("inspect", "-f", "{{.Id}}", PEER).strip()


def _output(daemon: Daemon) -> str:
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until:
        found = daemon.docker("logs", NAME)
        if END in found.stdout:
            return found.stdout
        time.sleep(0.1)
    raise AssertionError(f"{daemon.name}: no end of {found.stdout[-500:]} {found.stderr[-500:]}")


def _sorted(document: dict[str, Any]) -> dict[str, Any]:
    """dockerd gives mounts in no order, and the command line `-e` and `-v`."""
    mounts = sorted(document["Mounts"], key=lambda each: str(each["Destination"]))
    config = {**document["Config"], "Env": sorted(document["Config"]["Env"] or [])}
    host = document["HostConfig"]
    host = {**host, "Binds": host["Binds"] and sorted(host["Binds"])}
    return {**document, "Mounts": mounts, "Config": config, "HostConfig": host}


def flatten(value: Any, path: str = "") -> dict[str, str]:
    """`{"a": [1]}` → `{"a.0": "1"}`; empty ones stay visible."""
    items: Iterable[tuple[object, Any]] = ()
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
    found: dict[str, str] = {}
    for key, inner in items:
        found |= flatten(inner, f"{path}.{key}" if path else str(key))
    return found or {path: json.dumps(value)}


_HIDDEN = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "<time>"),
    (r"[0-9a-f]{64}", "<hex>"),
    (r"172\.17\.(?!0\.[01]\b)\d+\.\d+\b", "<address>"),
    (r"02:42:ac:11:[0-9a-f:]+", "<mac>"),
    (r"(pipe|socket):\[\d+\]", r"\1"),
    (r"/docker/|/wherry/", "/<engine>/"),
    (r"failed to create shim task: OCI runtime create failed: runc create failed: ", ""),
    (r"(unable to start container process: )?(error during container init: )?", ""),
    (r"error setting cgroup config for procHooks process: ", ""),
    (r": unknown(?=\W)", ""),
    (r" \(this engine has [^)]*\)| \(examples: 64m, 1.5g, 4096\)", ""),
)


def hide(daemon: Daemon, text: str, id: str = "") -> str:
    """Without what has to differ: ids, times, folders, addresses, who passed an error on."""
    text = text.replace(str(daemon.folder), "<folder>")
    peer = peer_of(daemon)
    text = text.replace(peer, "<peer>").replace(peer[:12], "<peer>")
    if id:
        text = text.replace(id, "<id>").replace(id[:12], "<short>")
    for pattern, put in _HIDDEN:
        text = re.sub(pattern, put, text)
    return text


def view(daemon: Daemon, output: str) -> dict[str, str]:
    """The script's output as facts: `view.SECTION.KEY`."""
    facts: dict[str, str] = {}
    section = ""
    for line in output.replace("\r", "").splitlines():
        if line.startswith("== "):
            section = line[3:]
        else:
            key, value = _fact(daemon, section, line)
            path = f"view.{section}.{key}"
            while path in facts:
                path += "+"
            facts[path] = value
    return facts


def _fact(daemon: Daemon, section: str, line: str) -> tuple[str, str]:
    if section == "mounts":
        return _mount(line)
    if section == "namespaces":
        kind, link = line.split()
        return kind, _whose(daemon, kind, link)
    if section in ("status", "limits", "memory", "cpu", "pids", "blkio", "sysctls", "cgroups"):
        key, _, value = line.partition(":")
        return (key, " ".join(value.split())) if value else (line, "")
    return line, ""


def _whose(daemon: Daemon, kind: str, link: str) -> str:
    """Whose namespace it is: the daemon's, the peer's or a new one."""
    if link == os.readlink(f"/proc/{daemon.pid}/ns/{kind}"):
        return "the daemon's"
    pid = daemon.must("inspect", "-f", "{{.State.Pid}}", PEER).strip()
    return "the peer's" if link == os.readlink(f"/proc/{pid}/ns/{kind}") else "its own"


def _mount(line: str) -> tuple[str, str]:
    """Target → flags, propagation, file system, its options; not which device, nor overlay's."""
    left, right = line.split(" - ")
    _, _, _, root, target, flags, *optional = left.split()
    fstype, _, options = right.split()
    kept = [option for option in options.split(",") if option not in ("rw", "ro")]
    own = target == "/" or "/volumes/" in root  # dockerd shares its data folder with itself
    shared = [] if own else sorted(each.partition(":")[0] for each in optional)
    source = "" if fstype in ("ext4", "overlay", "proc", "cgroup") else f" {root}"
    shown = "" if fstype in ("overlay", "devtmpfs") else ",".join(kept)
    return target, f"{flags} {shared} {fstype}{source} {shown}"
