"""`wherry doctor`: what this kernel, user and file system can do, what they cannot, and the fix.

Every line is found out by looking or by trying in a child process; nothing is changed.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable
from typing import Literal, NamedTuple

from wherry.daemon.config import default_exec_root, default_root
from wherry.engine import host_facts
from wherry.linux import mount, namespace
from wherry.snapshot.choose import network_filesystem

Level = Literal["ok", "limited", "missing"]


class Finding(NamedTuple):
    """One line. `fix` says what to do, empty where nothing has to be done."""

    name: str
    level: Level
    text: str
    fix: str = ""


def run(arguments: list[str]) -> int:
    """Print the findings; the exit code is 0, or 1 where containers cannot run at all."""
    flags = argparse.ArgumentParser("wherry doctor", description=__doc__)
    flags.add_argument("--format", choices=("text", "json"), default="text")
    flags.add_argument("--root", default=default_root(), help="the root the daemon would use")
    given = flags.parse_args(arguments)
    findings = examine(given.root)
    if given.format == "json":
        sys.stdout.write(json.dumps([finding._asdict() for finding in findings], indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(_line(finding) for finding in findings) + "\n")
    return 1 if any(finding.level == "missing" for finding in findings) else 0


def _line(finding: Finding) -> str:
    mark = {"ok": "ok     ", "limited": "limited", "missing": "MISSING"}[finding.level]
    fix = f"\n{'':10}→ {finding.fix}" if finding.fix else ""
    return f"{mark}  {finding.name}: {finding.text}{fix}"


def examine(root: str) -> list[Finding]:
    """All findings, the deciding ones first."""
    checks: tuple[Callable[[], Finding], ...] = (
        _user,
        _kernel,
        _user_namespaces,
        _ids,
        lambda: _file_system(root),
        _overlay,
        _cgroups,
        _network,
        _init,
        _exec_root,
        _security_modules,
    )
    return [check() for check in checks]


def _user() -> Finding:
    if os.geteuid() == 0:
        return Finding("user", "ok", "root: a full engine")
    return Finding("user", "ok", f"plain user {os.getuid()}: containers run in a user namespace")


def _kernel() -> Finding:
    release = os.uname().release
    major, minor = (int(part) for part in release.split(".")[:2])
    if (major, minor) >= (5, 11):
        return Finding("kernel", "ok", release)
    fix = "kernel 5.11 or newer has overlay for plain users and all calls wherry uses"
    return Finding("kernel", "limited", f"{release} is older than 5.11", fix)


def _tried(attempt: Callable[[], None]) -> str:
    """Run it in a child process; the error's text, or empty."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            attempt()
        except OSError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        text = file.read().decode()
    os.waitpid(pid, 0)
    return text


def _user_namespaces() -> Finding:
    error = _tried(lambda: namespace.unshare(namespace.CLONE_NEWUSER | namespace.CLONE_NEWNS))
    if not error:
        return Finding("user namespaces", "ok", "can be made")
    level: Level = "limited" if os.geteuid() == 0 else "missing"
    return Finding("user namespaces", level, error, _namespace_fix())


def _namespace_fix() -> str:
    for path, want in (
        ("/proc/sys/kernel/unprivileged_userns_clone", "1"),
        ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "0"),
        ("/proc/sys/user/max_user_namespaces", "a positive number"),
    ):
        try:
            with open(path, encoding="ascii") as file:
                value = file.read().strip()
        except OSError:
            continue
        if (want == "a positive number" and value == "0") or (want in "01" and value != want):
            name = path.removeprefix("/proc/sys/").replace("/", ".")
            return f"ask the administrator for: sysctl {name}={want} (now {value})"
    return "ask the administrator to allow unprivileged user namespaces"


def _ids() -> Finding:
    if os.geteuid() == 0:
        return Finding("ids", "ok", "all of the host's")
    helpers = shutil.which("newuidmap") and shutil.which("newgidmap")
    if helpers and _has_range():
        return Finding("ids", "ok", "a range of subordinate ids (newuidmap)")
    text = "one id: images with many owners run, changes of owner are answered but not made"
    fix = "for true owners: a range in /etc/subuid and /etc/subgid, and the package uidmap"
    return Finding("ids", "limited", text, fix)


def _has_range() -> bool:
    names = (str(os.getuid()), os.environ.get("USER", "-"))
    try:
        with open("/etc/subuid", encoding="ascii") as file:
            return any(line.split(":")[0] in names for line in file)
    except OSError:
        return False


def _existing(path: str) -> str:
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def _file_system(root: str) -> Finding:
    kind = network_filesystem(_existing(root))
    if kind is None:
        free = shutil.disk_usage(_existing(root)).free
        return Finding("root", "ok", f"{root}: local, {free >> 30} GiB free")
    fix = "give --root a folder on a local disk; locks, sockets and overlay fail on this one"
    return Finding("root", "missing", f"{root} is on {kind}", fix)


def _overlay() -> Finding:
    def attempt() -> None:
        if os.geteuid() != 0:
            namespace.unshare(namespace.CLONE_NEWUSER | namespace.CLONE_NEWNS)
        options = ("lowerdir=/usr:/etc", *(("userxattr",) if os.geteuid() else ()))
        os.close(mount.create("overlay", "overlay", options))

    error = _tried(attempt)
    if not error:
        return Finding("overlay", "ok", "layers are stacked by the kernel")
    fix = "containers work, each with its own copy of its image; overlay needs kernel 5.11"
    return Finding("overlay", "limited", error, fix if os.geteuid() else "modprobe overlay")


def _cgroups() -> Finding:
    version = host_facts.cgroup_version("real" if os.geteuid() == 0 else "single")
    if version != "none":
        return Finding("cgroups", "ok", f"version {version[1]}: limits, pause and usage")
    text = "not ours to use: limits (-m, --cpus, …) are discarded with a warning, pause is refused"
    fix = "a cgroup v2 machine, and the daemon in a delegated scope: " + _delegation()
    return Finding("cgroups", "limited", text, fix)


def _delegation() -> str:
    return "systemd-run --user --scope -p Delegate=yes wherry daemon"


def _network() -> Finding:
    if os.geteuid() == 0:
        return Finding("network", "ok", "bridge with NAT and published ports, by nf_tables")
    text = (
        "bridge in a namespace of our own; out by TCP, UDP and DNS over IPv4: no ICMP (ping), "
        "a refused TCP port looks like a reset; ports below "
        f"{_first_port()} cannot be published"
    )
    return Finding("network", "limited", text)


def _first_port() -> str:
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
        return file.read().strip()


def _init() -> Finding:
    names = ("docker-init", "tini-static", "tini", "catatonit")
    places = f"{os.environ.get('PATH', '')}:/usr/libexec/docker:/usr/libexec/podman:/usr/sbin"
    found = next((path for name in names if (path := shutil.which(name, path=places))), None)
    if found:
        return Finding("init program", "ok", found)
    return Finding("init program", "limited", "none, so --init is refused", "apt-get install tini")


def _exec_root() -> Finding:
    path = default_exec_root()
    folder = os.open(_existing(path), os.O_PATH | os.O_CLOEXEC)
    kind = mount.filesystem_type(folder)
    os.close(folder)
    if kind in (0x01021994, 0x858458F6):  # TMPFS_MAGIC, RAMFS_MAGIC (statfs(2))
        return Finding("exec root", "ok", f"{path}: on a tmpfs")
    text = f"{path} is not on a tmpfs: what a dead machine leaves there is recognised as old"
    return Finding("exec root", "limited", text, "set XDG_RUNTIME_DIR, or --exec-root")


def _security_modules() -> Finding:
    facts = host_facts.look("real")
    found = [name for name in ("apparmor", "selinux") if getattr(facts, name)]
    return Finding("security modules", "ok", ", ".join(found) or "none, seccomp always")
