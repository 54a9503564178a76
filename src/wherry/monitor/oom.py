"""Out-of-memory kills in a container whose cgroup another program has made."""

from wherry.linux.cgroup.directory import Directory
from wherry.linux.cgroup.layout import Hierarchy, parse
from wherry.linux.cgroup.oom import OomEvents, watch_v1, watch_v2


def watch_process(pid: int) -> OomEvents | None:
    """Watch the memory cgroup that a process is in; None where it shares ours or has none."""
    memory, place = _place(str(pid))
    if memory is None or place == _place("self")[1]:
        return None
    directory = Directory.open(memory.mountpoint, place)
    try:
        return watch_v1(directory) if memory.version == 1 else watch_v2(directory)
    except FileNotFoundError:  # v2 without the controller
        directory.close()
        return None


def _place(pid: str) -> tuple[Hierarchy | None, str]:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        mounts = file.read()
    with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
        layout = parse(mounts, file.read())
    memory = layout.of("memory") or layout.unified
    return memory, memory.own if memory else ""
