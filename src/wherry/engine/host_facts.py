"""Looking at the machine, once, when the engine opens."""

import os
import platform
from typing import Literal

from wherry.engine.spec.facts import Host, IdMode
from wherry.linux import capability
from wherry.oci.platform import host


def look(ids: IdMode) -> Host:
    """The facts of this host for an engine whose ids are mapped like that."""
    release = platform.release().split(".")
    return Host(
        kernel=(int(release[0]), int("".join(filter(str.isdigit, release[1])) or 0)),
        architecture=host().architecture,
        ids=ids,
        cgroup=cgroup_version(ids),
        capabilities=frozenset(capability.names_of((1 << (capability.last_known() + 1)) - 1)),
        apparmor=_enabled("/sys/module/apparmor/parameters/enabled"),
        selinux=os.path.exists("/sys/fs/selinux/enforce"),
        mqueue=os.path.isdir("/dev/mqueue"),
        ipv6=os.path.exists("/proc/sys/net/ipv6/conf/default/disable_ipv6"),
    )


def cgroup_version(ids: IdMode) -> Literal["v1", "v2", "none"]:
    """Which hierarchies this engine can limit with. A plain user needs a delegated v2 subtree."""
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        own = _own_v2()
        writable = os.access(f"/sys/fs/cgroup{own}/cgroup.procs", os.W_OK)
        return "v2" if ids == "real" or writable else "none"
    if ids == "real" and os.path.isdir("/sys/fs/cgroup/memory"):
        return "v1"
    return "none"


def _own_v2() -> str:
    with open("/proc/self/cgroup", encoding="ascii") as file:
        for line in file:
            if line.startswith("0::"):
                return line[3:].strip()
    return "/"


def _enabled(path: str) -> bool:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip() == "Y"
    except OSError:
        return False


def memory_nodes() -> int:
    """How many NUMA nodes there are; 1 where the kernel does not say."""
    try:
        names = os.listdir("/sys/devices/system/node")
    except OSError:
        return 1
    return sum(name[:4] == "node" and name[4:].isdigit() for name in names) or 1
