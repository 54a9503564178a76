"""spec: a config.json to begin with."""

import json
import os

from wherry.kit.errors import Conflict
from wherry.runtime.commands.arguments import Syntax, read
from wherry.runtime.commands.setting import Setting

_CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
_MASKED = (
    "/proc/acpi /proc/asound /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list "
    "/proc/timer_stats /proc/sched_debug /sys/firmware /proc/scsi"
).split()
_READONLY = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger".split()


def command_spec(setting: Setting, words: list[str]) -> int:
    """Write config.json into the bundle; one that is there is kept."""
    del setting
    syntax = Syntax(("bundle",), ("rootless",), {"b": "bundle"}, most=0)
    arguments = read(words, syntax)
    path = f"{arguments.value('bundle') or '.'}/config.json"
    text = json.dumps(example(rootless=arguments.has("rootless")), indent="\t") + "\n"
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise Conflict(f"{path} exists; remove it first") from error
    return 0


def example(*, rootless: bool) -> dict[str, object]:
    """A shell in a container with the usual mounts."""
    return {
        "ociVersion": "1.2.0",
        "process": _process(),
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "wherry",
        "mounts": _mounts(rootless),
        "linux": _linux(rootless),
    }


def _process() -> dict[str, object]:
    sets = dict.fromkeys(("bounding", "effective", "permitted"), _CAPABILITIES)
    return {
        "terminal": True,
        "user": {"uid": 0, "gid": 0},
        "args": ["sh"],
        "env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "TERM=xterm",
        ],
        "cwd": "/",
        "capabilities": sets,
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        "noNewPrivileges": True,
    }


def _mounts(rootless: bool) -> list[dict[str, object]]:
    pts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
    safe = ["nosuid", "noexec", "nodev"]
    mounts = [
        _mount("/proc", "proc", "proc", []),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount("/dev/pts", "devpts", "devpts", pts if rootless else [*pts, "gid=5"]),
        _mount("/dev/shm", "tmpfs", "shm", [*safe, "mode=1777", "size=65536k"]),
        _mount("/dev/mqueue", "mqueue", "mqueue", safe),
    ]
    if rootless:
        mounts.append(_mount("/sys", "none", "/sys", ["rbind", *safe, "ro"]))
    else:
        mounts.append(_mount("/sys", "sysfs", "sysfs", [*safe, "ro"]))
        mounts.append(_mount("/sys/fs/cgroup", "cgroup", "cgroup", [*safe, "relatime", "ro"]))
    return mounts


def _mount(destination: str, kind: str, source: str, options: list[str]) -> dict[str, object]:
    return {"destination": destination, "type": kind, "source": source, "options": options}


def _linux(rootless: bool) -> dict[str, object]:
    kinds = ["pid", "ipc", "uts", "mount", "cgroup"]
    linux: dict[str, object] = {
        "namespaces": [{"type": kind} for kind in (*kinds, "user" if rootless else "network")],
        "maskedPaths": _MASKED,
        "readonlyPaths": _READONLY,
    }
    if rootless:
        linux["uidMappings"] = [{"containerID": 0, "hostID": os.geteuid(), "size": 1}]
        linux["gidMappings"] = [{"containerID": 0, "hostID": os.getegid(), "size": 1}]
    else:
        linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    return linux
